/** A role with a password: where it may come from, and what is said when it is missing. */
import { TestFolder } from "../support/accounts.ts";
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

testWith(
  ["/usr/lib/postgresql/15/bin/postgres"],
  "a password comes from .pgpass, and is asked for by name",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder, {
      settings: "archive_mode = on\narchive_command = 'true # walferry'",
    });
    const hba = `${cluster.path}/pg_hba.conf`;
    await Deno.writeTextFile(hba, `local all keeper scram-sha-256\n${await Deno.readTextFile(hba)}`);
    await cluster.start();
    await cluster.sql("create role keeper superuser login password 'rosebud'");
    const stanza = await TestStanza.make(folder, cluster);
    const create = ["--pg1-user=keeper", "stanza-create"];
    const missing = await stanza.walferry(create);
    assertEquals(missing.code, 56);
    assertIncludes(missing.stdout, "the server asks for a password, none is known");
    assertIncludes(missing.stdout, `add a line for host '${folder.path}' to ~/.pgpass`);
    const env = { PGPASSFILE: await folder.file("pgpass", `${folder.path}:*:*:keeper:rosebud\n`, 0o600) };
    await stanza.must("walferry", create, { env });
  },
);
