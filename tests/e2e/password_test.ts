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
      settings:
        `archive_mode = on\narchive_command = 'true # walferry'\nunix_socket_directories = '${folder.path}, /tmp'`,
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
    assertIncludes(missing.stdout, `add a line for host '${folder.path}' and user 'keeper' to `);
    const open = { PGPASSFILE: await folder.file("open", `${folder.path}:*:*:keeper:rosebud\n`, 0o644) };
    assertIncludes((await stanza.walferry(create, { env: open })).stdout, "open' is ignored: group or others");
    assertEquals((await stanza.walferry(create, { env: { ...open, PGPASSWORD: "rosebud" } })).code, 0);
    const env = { PGPASSFILE: await folder.file("pgpass", `${folder.path}:*:*:keeper:rosebud\n`, 0o600) };
    await stanza.must("walferry", create, { env });
    // As for libpq, localhost is who listens in the usual directory, and nobody else.
    const local = { PGPASSFILE: await folder.file("local", "localhost:*:*:keeper:rosebud\n", 0o600) };
    await stanza.must("walferry", ["--pg1-socket-path=/tmp", ...create], { env: local });
    assertEquals((await stanza.walferry(create, { env: local })).code, 56);
  },
);
