/** SFTP when things go wrong: keys, hosts, and connections that end, on real OpenSSH servers. */
import type { SftpStorageConfig } from "../../backends/config.ts";
import { SftpStorage } from "../../backends/sftp.ts";
import type { ErrorKind, WalferryError } from "../../src/errors.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { collect, streamOf } from "../../src/stream/sources.ts";
import { runAs } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { DelayingProxy } from "../support/delaying_proxy.ts";
import { freePorts } from "../support/free_port.ts";
import { noise } from "../support/noise.ts";
import { testWith } from "../support/requirements.ts";
import { SSHD_PROGRAMS, SshServer } from "../support/sshd.ts";

const MIB = 1024 * 1024;

testWith(SSHD_PROGRAMS, "SFTP: who is let in, and who is believed", async (test) => {
  await using server = await SshServer.start();
  const open = (more: Partial<SftpStorageConfig> = {}) =>
    new SftpStorage(
      server.config(`${server.folder.path}/repo`, { network: { ioTimeoutMs: 5000, retryMs: 3000 }, ...more }),
    );
  const works = async (more: Partial<SftpStorageConfig>) => {
    await using storage = open(more);
    await storage.write("f", noise(10));
    assertEquals((await storage.info("f"))?.sizeBytes, 10);
  };
  const refused = async (kind: ErrorKind, parts: readonly string[], more: Partial<SftpStorageConfig>) => {
    await using storage = open(more);
    const startMs = performance.now();
    const error = await assertThrows<WalferryError>(() => storage.write("f", noise(10)));
    assertEquals(error.kind, kind, error.text);
    for (const part of parts) assertIncludes(error.text, part);
    assertEquals(error.text.includes(server.passphrase), false, "a secret is in the message");
    assert(performance.now() - startMs < 4500, "a lasting error was waited for");
  };
  const { keys, passphrase, knownHosts } = server;
  const wrongHosts = `${server.folder.path}/wrong_known_hosts`;

  await test.step("keys with and without a passphrase, new and old form", async () => {
    await works({ privateKeyFile: keys.plain });
    await works({ privateKeyFile: keys.encrypted, privateKeyPassphrase: passphrase });
    await works({ privateKeyFile: keys.pem, privateKeyPassphrase: passphrase });
    await refused("Crypto", ["repo-sftp-private-key-passphrase"], { privateKeyFile: keys.encrypted });
    await refused("Crypto", ["cannot be used"], { privateKeyFile: keys.encrypted, privateKeyPassphrase: "wrong" });
    await refused("Access", ["authorized_keys"], { privateKeyFile: keys.unknown });
    await refused("Access", ["authorized_keys"], { privateKeyFile: keys.unknown, transport: "ssh" });
    await refused("FileOpen", ["repo-sftp-private-key-file"], { privateKeyFile: "/none/key" });
  });

  await test.step("an agent", async () => {
    const socket = `${server.folder.path}/agent`;
    const agent = new Deno.Command("ssh-agent", { args: ["-D", "-a", socket], stdout: "null", stderr: "null" }).spawn();
    try {
      await runAs(["bash", "-c", `until ssh-add -q ${keys.plain} 2>/dev/null; do sleep 0.05; done`], {
        asSelf: true,
        env: { SSH_AUTH_SOCK: socket },
      });
      await works({ privateKeyFile: undefined, agentSocket: socket });
    } finally {
      agent.kill();
      await agent.status;
    }
  });

  await test.step("hosts: known, unknown, with another key, by fingerprint", async () => {
    for (const transport of ["ssh2", "ssh"] as const) {
      await refused("Access", [], { knownHostFiles: ["/dev/null"], transport });
      await refused("Access", [], { knownHostFiles: [wrongHosts], transport });
      await works({ hostKeyCheck: "none", knownHostFiles: [wrongHosts], transport });
    }
    await refused("Access", ["not in the files of known hosts", "ssh-keyscan"], { knownHostFiles: ["/dev/null"] });
    await refused("Access", ["another key than the one at line 1", "wrong_known_hosts"], {
      knownHostFiles: [wrongHosts],
    });
    const fingerprint = async (hash: string) =>
      (await runAs(["ssh-keygen", "-l", "-E", hash, "-f", `${server.folder.path}/host_ed25519.pub`], { asSelf: true }))
        .split(" ")[1]!.replace(/^MD5:/, "");
    await works({ hostKeyCheck: "fingerprint", hostKeyHash: "sha256", hostFingerprint: await fingerprint("sha256") });
    await works({ hostKeyCheck: "fingerprint", hostKeyHash: "md5", hostFingerprint: await fingerprint("md5") });
    await refused("Access", ["fingerprint"], {
      hostKeyCheck: "fingerprint",
      hostKeyHash: "md5",
      hostFingerprint: "00",
    });
    const hashed = `${server.folder.path}/hashed_hosts`;
    await Deno.copyFile(knownHosts, hashed);
    await runAs(["ssh-keygen", "-q", "-H", "-f", hashed], { asSelf: true });
    await works({ knownHostFiles: [hashed] });
    await Deno.writeTextFile(
      hashed,
      `@revoked * ${(await Deno.readTextFile(knownHosts)).split(" ").slice(1).join(" ")}`,
    );
    await refused("Access", ["revoked"], { knownHostFiles: [hashed] });
  });

  await test.step("a host that is new is added once, and then held to its key", async () => {
    const file = `${server.folder.path}/new/known_hosts`;
    await works({ hostKeyCheck: "accept-new", knownHostFiles: [file] });
    await works({ hostKeyCheck: "accept-new", knownHostFiles: [file] });
    assertEquals((await Deno.readTextFile(file)).trim().split("\n").length, 1);
    assertEquals((await Deno.stat(file)).mode! & 0o777, 0o600);
    await server.changeHostKey();
    await refused("Access", ["another key"], { hostKeyCheck: "accept-new", knownHostFiles: [file] });
    await refused("Access", ["another key"], {});
  });

  await test.step("a host that is not there, and one that never answers", async () => {
    const network = { ioTimeoutMs: 700, retryMs: 700 };
    await refused("HostConnect", ["nothing listens"], { port: freePorts(1), network, hostKeyCheck: "none" });
    await refused("HostConnect", [], { port: freePorts(1), network, hostKeyCheck: "none", transport: "ssh" });
    const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      await refused("HostConnect", ["io-timeout"], {
        port: (silent.addr as Deno.NetAddr).port,
        network,
        hostKeyCheck: "none",
      });
    } finally {
      silent.close();
    }
  });
});

for (const transport of ["ssh2", "ssh"] as const) {
  testWith([...SSHD_PROGRAMS, "pkill"], `SFTP by ${transport}: connections that end`, async (test) => {
    await using server = await SshServer.start();
    const root = `${server.folder.path}/repo`;
    await using storage = new SftpStorage(
      server.config(root, { transport, network: { ioTimeoutMs: 5000, retryMs: 8000 } }),
    );
    const bytes = noise(8 * MIB);

    await test.step("in the middle of a stream: nothing is visible, and the next write works", async () => {
      const ending = async function* () {
        for (let at = 0; at < bytes.length; at += MIB) {
          if (at === 4 * MIB) await server.endSessions();
          yield bytes.subarray(at, at + MIB);
        }
      };
      const error = await assertThrows<WalferryError>(() => storage.write("f", ending()));
      assertIncludes(["Service", "HostConnect"].join(), error.kind);
      assertEquals(await storage.info("f"), undefined);
      await storage.write("f", bytes);
      assertEquals(sha1Hex(await collect((await storage.read("f"))!, 1e9)), sha1Hex(bytes));
    });

    await test.step("between two requests: made anew, unnoticed", async () => {
      await server.endSessions();
      assertEquals((await storage.info("f"))?.sizeBytes, bytes.length);
    });

    await test.step("in the middle of a read: read on, never short", async () => {
      const received: Uint8Array[] = [];
      let ended = false;
      for await (const chunk of (await storage.read("f"))!) {
        received.push(chunk);
        if (!ended) await server.endSessions();
        ended = true;
      }
      const whole = await collect(
        async function* () {
          yield* received;
        }(),
        1e9,
      );
      assertEquals(sha1Hex(whole), sha1Hex(bytes));
    });

    await test.step("a directory that the account may not write to is told at once", async () => {
      await using elsewhere = new SftpStorage(server.config("/proc/none", { transport }));
      const error = await assertThrows<WalferryError>(() => elsewhere.write("f", noise(1)));
      assertIncludes(error.text, "sftp://");
      assertIncludes(error.text, "/proc/none/f");
    });
  });

  testWith(SSHD_PROGRAMS, `SFTP by ${transport}: latency is paid for the window, not for each request`, async () => {
    await using server = await SshServer.start();
    await using proxy = DelayingProxy.start(server.port, 15);
    await using storage = new SftpStorage(
      server.config(`${server.folder.path}/repo`, { transport, port: proxy.port, hostKeyCheck: "none" }),
    );
    await using near = new SftpStorage(
      server.config(`${server.folder.path}/near`, { transport, hostKeyCheck: "none" }),
    );
    for (const one of [storage, near]) await one.write("warm", noise(1));
    const bytes = noise(24 * MIB);
    const pieces = bytes.length / (255 * 1024);
    const runs = [
      (one: SftpStorage) => one.write("f", bytes),
      async (one: SftpStorage) => void await collect((await one.read("f"))!, 1e9),
    ];
    for (const run of runs) {
      const timed = async (one: SftpStorage) => {
        const startMs = performance.now();
        await run(one);
        return performance.now() - startMs;
      };
      // What the machine takes by itself is not the latency's doing.
      const nearMs = await timed(near);
      const tripsPaid = (await timed(storage) - nearMs) / 30;
      assert(tripsPaid < pieces / 2, `${tripsPaid.toFixed(0)} round trips for ${pieces.toFixed(0)} requests`);
    }
  });
}

testWith([...SSHD_PROGRAMS, "/usr/lib/openssh/sftp-server"], "SFTP: what cannot be closed is not stored", async () => {
  const spoiling = `${Deno.cwd()}/tests/support/spoiling_sftp.ts`;
  await using server = await SshServer.start(`${Deno.execPath()} run --quiet --no-check -A ${spoiling}`);
  for (const transport of ["ssh2", "ssh"] as const) {
    await using storage = new SftpStorage(server.config(`${server.folder.path}/repo-${transport}`, { transport }));
    for (const content of [noise(10), noise(3 * MIB)]) {
      for (const source of [content, streamOf(content)]) {
        const error = await assertThrows<WalferryError>(() => storage.write("d/f", source));
        assertEquals(error.kind, "FileWrite", error.text);
        assertIncludes(error.text, `/repo-${transport}/d/f'`);
      }
    }
    const left = [];
    for await (const { name } of storage.list("d", { unfinished: true })) left.push(name);
    assertEquals(left, []);
  }
});
