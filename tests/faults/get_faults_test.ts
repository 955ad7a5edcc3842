/**
 * archive-get from two repositories, the first of which is slow, dead, wrong or damaged: the right bytes come, in bounded time, what is damaged
 * is mended, and "absent" is never said while one of them could not be asked.
 */
import { openS3 } from "../../backends/s3.ts";
import { walDirectory } from "../../src/format/wal_name.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { collect } from "../../src/stream/sources.ts";
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { until } from "../support/until.ts";
import { RGW_PROGRAMS, s3Config, s3Options, startRgw } from "../support/s3_servers.ts";

/** What is slow is this slow; what does not wait for it is done long before, even on a busy machine. */
const SLOW_MS = 20_000;

testWith(
  ["/usr/lib/postgresql/15/bin/postgres", ...RGW_PROGRAMS],
  "archive-get: a first repository that is slow, dead, wrong or damaged costs little and never the truth",
  async (test) => {
    await using folder = await TestFolder.make();
    await using server = await startRgw();
    await using proxy = await FaultProxy.start(server.port);
    await using cluster = await TestCluster.init(folder, {
      settings: "archive_mode = on\narchive_command = 'false'\nwal_keep_size = '1GB'",
      initdb: ["--wal-segsize=1"],
    });
    await cluster.start();
    const bucket = await server.makeBucket();
    const options = s3Options(server, bucket, proxy.port);
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [{ path: "/repo", options }, { cipherPass: "secret" }],
      global: { "archive-timeout": "3s", "io-timeout": "30s", "compress-type": "none" },
    });
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    const segment = await cluster.archiveSegment();
    const written = sha1Hex(Deno.readFileSync(`${cluster.path}/pg_wal/${segment}`));
    const stored = `archive/main/15-1/${walDirectory(segment)}/${segment}-${written}`;
    const destination = `${folder.path}/got`;
    const health = `${folder.path}/conf/spool/walferry/main/health`;
    const get = async (name = segment) => {
      const begun = performance.now();
      const result = await stanza.walferry(["archive-get", name, destination]);
      return { ...result, milliseconds: performance.now() - begun };
    };
    const delivered = async () => {
      const sha1 = sha1Hex(Deno.readFileSync(destination));
      await Deno.remove(destination);
      return sha1;
    };
    const step = async (name: string, run: () => Promise<void>) => {
      await test.step(name, async () => {
        await Deno.remove(health, { recursive: true }).catch(() => undefined);
        proxy.requests.length = 0;
        try {
          await run();
        } finally {
          proxy.plan = () => undefined;
        }
      });
    };

    await step(
      "slow to say what it has: the other one delivers, and the slow one is left alone for a while",
      async () => {
        proxy.plan = () => ({ kind: "delay", milliseconds: SLOW_MS });
        const first = await get();
        assertEquals(first.code, 0, first.stdout);
        assertEquals(await delivered(), written);
        assert(first.milliseconds < SLOW_MS / 2, `${first.milliseconds} ms`);
        // Slower than the other one is nothing to warn of.
        assertEquals(first.stdout.includes("WARN"), false, first.stdout);
        const asked = proxy.requests.length;
        assertEquals((await get()).code, 0);
        assertEquals(await delivered(), written);
        assertEquals(proxy.requests.length, asked, "it is not asked again");
      },
    );
    await step("slow to deliver: the other one overtakes it", async () => {
      proxy.plan = ({ url, method }) =>
        method === "GET" && url.includes(`${segment}-`) && !url.includes("list-type")
          ? { kind: "delay", milliseconds: SLOW_MS }
          : undefined;
      const result = await get();
      assertEquals(result.code, 0, result.stdout);
      assertIncludes(result.stdout, "in the repo2: 15-1 archive");
      assertEquals(await delivered(), written);
      assert(result.milliseconds < SLOW_MS / 2, `${result.milliseconds} ms`);
      assertEquals([...Deno.readDirSync(folder.path)].filter(({ name }) => name.startsWith("got")), []);
    });
    await step("answering 500: the other one delivers; what that one does not have is not absent", async () => {
      proxy.plan = () => ({ kind: "answer", status: 500 });
      assertEquals((await get()).code, 0);
      assertEquals(await delivered(), written);
      const unknown = await get("0000000100000000000000F0");
      assertEquals(unknown.code, 255);
      assertIncludes(
        unknown.stdout + unknown.stderr,
        "unable to tell whether 0000000100000000000000F0 is in the archive",
      );
      proxy.plan = () => undefined;
      assertEquals((await get("0000000100000000000000F0")).code, 1);
    });
    await step("damaged: the right bytes come from the other one, which also mends the first", async () => {
      await using storage = openS3(s3Config(server, bucket));
      const bytes = await collect((await storage.read(stored))!, 1e8);
      for (const damage of [bytes.slice(0, 1000), bytes.map((byte, at) => (at === 70_000 ? byte ^ 1 : byte))]) {
        await storage.write(stored, damage);
        const mended = `repo1: the damaged copy of ${segment} was replaced by that of repo2`;
        await until("the damaged copy to be replaced", async () => {
          // On a busy machine the other one may overtake it before the damage is seen.
          await Deno.remove(health, { recursive: true }).catch(() => undefined);
          const { code, stdout } = await get();
          assertEquals(code, 0);
          assertEquals(await delivered(), written);
          return stdout.includes(mended);
        });
        const content = await collect((await storage.read(stored))!, 1e8);
        assertEquals(sha1Hex(content), written);
      }
    });
    await step("slow, and what the quick one has is damaged: the slow one is waited for, and mends it", async () => {
      const copy = (await runAs(["find", stanza.repositories[1]!, "-name", `${segment}-*`])).trim();
      await runAs(["sh", "-c", `printf xxxx | dd of=${copy} bs=1 seek=500000 conv=notrunc status=none`]);
      proxy.plan = () => ({ kind: "delay", milliseconds: 1000 });
      const result = await get();
      assertEquals(result.code, 0, result.stdout);
      assertEquals(await delivered(), written);
      assertIncludes(result.stdout, "in the repo1: 15-1 archive");
      assertIncludes(result.stdout, `repo2: the damaged copy of ${segment} was replaced by that of repo1`);
    });
    await step("removed there: the other one has it", async () => {
      await using storage = openS3(s3Config(server, bucket));
      await storage.remove(stored);
      const result = await get();
      assertIncludes(result.stdout, "in the repo2: 15-1 archive");
      assertEquals(await delivered(), written);
    });
  },
);
