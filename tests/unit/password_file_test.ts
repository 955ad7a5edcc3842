/** Lines of a password file that fit, as libpq finds them. */
import { passwordFrom, type PasswordQuery } from "../../src/postgres/password_file.ts";
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { temporaryDirectory } from "../support/cluster_files.ts";

const QUERY: PasswordQuery = {
  hosts: ["/var/run/postgresql", "localhost"],
  port: 5432,
  database: "postgres",
  user: "keeper",
};

/** What is found in a file with these lines. */
function found(text: string, query: Partial<PasswordQuery> = {}, mode = 0o600) {
  using directory = temporaryDirectory();
  const path = `${directory.path}/pgpass`;
  Deno.writeTextFileSync(path, text);
  Deno.chmodSync(path, mode);
  return passwordFrom(path, { ...QUERY, ...query });
}

Deno.test("the first line that fits says the password, whichever name of the host it has", () => {
  assertEquals(found("localhost:5432:postgres:keeper:rose\n"), { password: "rose" });
  assertEquals(found("/var/run/postgresql:*:*:keeper:rose\n"), { password: "rose" });
  assertEquals(found("localhost:*:*:keeper:first\n*:*:*:*:second\n"), { password: "first" });
  assertEquals(found("/var/run/postgresql:*:*:keeper:first\nlocalhost:*:*:*:second\n"), { password: "first" });
  assertEquals(found("*:*:*:*:any"), { password: "any" });
});

Deno.test("lines for others, comments and what is no line are passed over", () => {
  const others = [
    "# localhost:*:*:keeper:comment",
    "",
    "::::",
    "localhost",
    "localhost:5433:*:keeper:port",
    "localhost:*:replication:keeper:database",
    "localhost:*:*:postgres:user",
    "other:*:*:keeper:host",
    "localhost:*:*:keeper:",
  ];
  assertEquals(found(others.join("\r\n")), {});
  assertEquals(found([...others, "localhost:*:*:keeper:rose"].join("\r\n")), { password: "rose" });
});

Deno.test("a backslash protects colons and backslashes, and a password ends at a colon", () => {
  assertEquals(found("\\localhost:*:*:ke\\:e\\\\p:a\\:b\\\\c:rest", { user: "ke:e\\p" }), { password: "a:b\\c" });
  assertEquals(found("localhost:*:*:\\*:star", { user: "keeper" }), {});
  assertEquals(found("localhost:*:*:keeper:end\\"), { password: "end\\" });
});

Deno.test("a file that others may read, or that is none, is ignored and says so; one that is not there is nothing", () => {
  assertIncludes(found("*:*:*:*:any", {}, 0o640).ignored!, "group or others");
  assertEquals(found("*:*:*:*:any", {}, 0o640).password, undefined);
  assertIncludes(passwordFrom("/", QUERY).ignored!, "no plain file");
  assertEquals(passwordFrom("/nonexistent/pgpass", QUERY), {});
});
