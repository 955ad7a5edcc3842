/** S3 when things go wrong: the real gateway behind a proxy that makes trouble, and a configuration that is not right. */
import type { S3StorageConfig } from "../../backends/config.ts";
import { openS3 } from "../../backends/s3.ts";
import type { Storage } from "../../backends/contract.ts";
import { repoGc } from "../../src/commands/repo_gc.ts";
import type { ErrorKind, WalferryError } from "../../src/errors.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { collect } from "../../src/stream/sources.ts";
import { TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { makeCertificates } from "../support/certificates.ts";
import { DelayingProxy } from "../support/delaying_proxy.ts";
import { type Fault, FaultProxy, type SeenRequest } from "../support/fault_proxy.ts";
import { freePorts } from "../support/free_port.ts";
import { inChunks, noise } from "../support/noise.ts";
import { testWith } from "../support/requirements.ts";
import { hurryingClock, repositoryConfig, testContext } from "../support/stanza_files.ts";
import { RGW_PROGRAMS, type RgwServer, s3Config, startRgw, startSwift, SWIFT_PROGRAMS } from "../support/s3_servers.ts";

const MIB = 1024 * 1024;
const SECRET = "ci-secret-key";

interface Place {
  readonly server: RgwServer;
  readonly proxy: FaultProxy;
  readonly bucket: string;
  open(more?: Partial<S3StorageConfig>): Storage;
}

/** One gateway serves all steps; each has a bucket of its own. */
testWith(RGW_PROGRAMS, "S3 in trouble", async (test) => {
  await using folder = await TestFolder.make();
  const certificates = await makeCertificates(await folder.directory("tls", 0o755));
  await using server = await startRgw(certificates);
  await using proxy = await FaultProxy.start(server.port);

  const step = (name: string, run: (place: Place) => Promise<void>) =>
    test.step(name, async () => {
      const bucket = await server.makeBucket();
      const opened: Storage[] = [];
      proxy.plan = () => undefined;
      proxy.requests.length = 0;
      const open = (more: Partial<S3StorageConfig> = {}) => {
        const storage = openS3(s3Config(server, bucket, {
          endpoint: `http://127.0.0.1:${proxy.port}`,
          network: { ioTimeoutMs: 5000, retryMs: 10_000 },
          ...more,
        }));
        opened.push(storage);
        return storage;
      };
      try {
        await run({ server, proxy, bucket, open });
      } finally {
        for (const storage of opened) await storage[Symbol.asyncDispose]();
      }
    });
  const firstOf = (method: string, fault: Fault) => {
    let left = 1;
    proxy.plan = (request) => request.method === method && left-- > 0 ? fault : undefined;
  };
  const contentOf = async (storage: Storage, path: string) => await collect((await storage.read(path))!, 1e9);
  const refused = async (kind: ErrorKind, parts: readonly string[], action: () => Promise<unknown>) => {
    const startMs = performance.now();
    const error = await assertThrows<WalferryError>(action);
    assertEquals(error.kind, kind, error.text);
    for (const part of parts) assertIncludes(error.text, part);
    assertEquals(error.text.includes(SECRET), false, "a secret is in the message");
    assert(performance.now() - startMs < 9000, "a lasting error was waited for");
    return error;
  };

  await step("a segment is one PUT of known length, whatever it is", async ({ open }) => {
    const storage = open();
    const segment = noise(16 * MIB);
    await storage.write("segment", segment);
    await storage.write("streamed", inChunks(segment), { lengthBytes: segment.length });
    assertEquals(proxy.requests.map(({ method, bytes }) => [method, bytes]), [["PUT", 16 * MIB], ["PUT", 16 * MIB]]);
    assertEquals(proxy.requests.map(({ headers }) => headers["content-length"]), [String(16 * MIB), String(16 * MIB)]);
  });

  await step("what is larger goes up in parts, four at a time, and nothing is left when it fails", async ({ open }) => {
    const storage = open();
    const bytes = noise(23 * MIB);
    await storage.write("large", inChunks(bytes));
    assertEquals(sha1Hex(await contentOf(storage, "large")), sha1Hex(bytes));
    assertEquals(proxy.requests.filter(({ url }) => url.includes("partNumber")).length, 5);
    const failing = async function* () {
      yield* inChunks(bytes);
      throw new Error("the source broke");
    };
    await assertThrows(() => storage.write("broken", failing()));
    const unfinished = [];
    for await (const upload of storage.unfinishedUploads!.list()) unfinished.push(upload);
    assertEquals(unfinished, []);
    assertEquals(await storage.info("broken"), undefined);
  });

  for (
    const [what, method, fault] of [
      ["503", "PUT", {
        kind: "answer",
        status: 503,
        body: "<Error><Code>SlowDown</Code><Message>slow</Message></Error>",
      }],
      ["500 without a body", "PUT", { kind: "answer", status: 500 }],
      ["429", "PUT", { kind: "answer", status: 429, headers: { "retry-after": "0" } }],
      ["a cut in the content that goes up", "PUT", { kind: "cut request", afterBytes: 300_000 }],
      ["an answer that is lost", "PUT", { kind: "lose answer" }],
      ["a stalled answer", "PUT", { kind: "stall" }],
      ["a cut in the content that comes down", "GET", { kind: "cut answer", afterBytes: 1_000_001 }],
      ["a 503 to a read", "GET", { kind: "answer", status: 503 }],
    ] as ReadonlyArray<readonly [string, string, Fault]>
  ) {
    await step(`${what}: the same request again, and the content is right`, async ({ open }) => {
      const storage = open({ network: { ioTimeoutMs: 1000, retryMs: 10_000 } });
      const bytes = noise(2 * MIB + 7);
      firstOf(method, fault);
      await storage.write("f", bytes);
      assertEquals(sha1Hex(await contentOf(storage, "f")), sha1Hex(bytes));
    });
  }

  await step(
    "content comes by a connection of the runtime's own, and what is none is asked for again",
    async ({ open }) => {
      const storage = open();
      const bytes = noise(MIB);
      await storage.write("f ü+%", bytes);
      proxy.requests.length = 0;
      assertEquals(sha1Hex(await contentOf(storage, "f ü+%")), sha1Hex(bytes));
      assertEquals(await storage.read("absent"), undefined);
      // Node's client says how long it wants to keep the connection.
      const asked = proxy.requests.map((
        { method, url, headers },
      ) => [method, url.includes("absent"), "connection" in headers]);
      assertEquals(asked, [["GET", false, false], ["GET", true, false], ["GET", true, true]]);
      // Only behind so much that it is worth its beginning.
      const patient = open({ directFromBytes: bytes.length + 1 });
      proxy.requests.length = 0;
      for (let turn = 0; turn < 3; turn++) await contentOf(patient, "f ü+%");
      assertEquals(proxy.requests.map(({ headers }) => "connection" in headers), [true, true, false]);
    },
  );

  await step("a read that is cut goes on in the same version, or ends with an error", async ({ open, bucket }) => {
    const storage = open();
    const bytes = noise(3 * MIB);
    await storage.write("f", bytes);
    const reads = () => proxy.requests.filter(({ method }) => method === "GET");
    firstOf("GET", { kind: "cut answer", afterBytes: 1_500_000 });
    assertEquals(sha1Hex(await contentOf(storage, "f")), sha1Hex(bytes));
    assertEquals(reads().length, 2);
    assertIncludes(String(reads()[1]!.headers["range"]), /^bytes=1[0-5]\d{5}-/);
    assert(reads()[1]!.headers["if-match"] !== undefined);
    // Another content takes its place while it is read.
    const direct = openS3(s3Config(server, bucket));
    firstOf("GET", { kind: "cut answer", afterBytes: 1_500_000 });
    const stream = (await storage.read("f"))!;
    await direct.write("f", noise(3 * MIB));
    await direct[Symbol.asyncDispose]();
    const error = await assertThrows<WalferryError>(() => collect(stream, 1e9));
    assertEquals(error.kind, "FileRead");
    assertIncludes(error.text, "replaced while it was read");
  });

  await step("a part whose answer is lost, and a completion whose answer is lost", async ({ open }) => {
    const storage = open();
    const bytes = noise(12 * MIB);
    const lost = new Set<string>();
    proxy.plan = ({ method, url }) => {
      const kind = url.includes("partNumber=2")
        ? "part"
        : method === "POST" && url.includes("uploadId")
        ? "complete"
        : "";
      if (kind === "" || lost.has(kind)) return undefined;
      lost.add(kind);
      return { kind: "lose answer" };
    };
    await storage.write("f", inChunks(bytes));
    assertEquals([...lost].sort(), ["complete", "part"]);
    assertEquals(sha1Hex(await contentOf(storage, "f")), sha1Hex(bytes));
  });

  await step("a store that stays away ends with the number of tries, after the deadline", async ({ open }) => {
    const storage = open({ network: { ioTimeoutMs: 1000, retryMs: 2000 } });
    proxy.plan = () => ({
      kind: "answer",
      status: 503,
      headers: { "x-amz-request-id": "REQ7" },
      body: "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
    });
    const error = await refused(
      "Service",
      ["SlowDown (HTTP 503)", "Please reduce", "REQ7", "tries in"],
      () => storage.write("f", noise(10)),
    );
    assertIncludes(error.message, /s3:\/\/b[0-9a-f-]+\/repo\/f/);
    proxy.plan = () => ({ kind: "stall" });
    await refused("HostConnect", ["does not answer"], () => storage.write("f", noise(10)));
  });

  await step("an aborted write ends at once", async ({ open }) => {
    const storage = open();
    const controller = new AbortController();
    const reason = new Error("told to end");
    proxy.plan = () => {
      queueMicrotask(() => controller.abort(reason));
      return { kind: "stall" };
    };
    const error = await assertThrows(() => storage.write("f", noise(100), { signal: controller.signal }));
    assertEquals(error, reason);
  });

  await step("a listing that repeats a page is refused", async ({ open }) => {
    const storage = open();
    for (const name of ["a", "b", "c"]) await storage.write(`d/${name}`, noise(1));
    const page = (keys: readonly string[]) => ({
      kind: "answer" as const,
      status: 200,
      headers: { "content-type": "application/xml" },
      body:
        `<?xml version="1.0"?><ListBucketResult><Name>b</Name><IsTruncated>true</IsTruncated><NextContinuationToken>${
          keys.at(-1)
        }</NextContinuationToken>${
          keys.map((key) =>
            `<Contents><Key>repo/d/${key}</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`
          ).join("")
        }</ListBucketResult>`,
    });
    let pages = 0;
    proxy.plan = () => page([["a", "b"], ["b", "c"]][Math.min(pages++, 1)]!);
    await refused("Protocol", ["repeats a page"], async () => {
      for await (const _entry of storage.list("d")) { /* until it is refused */ }
    });
  });

  await step("uploads that a crash left are found by their age and aborted", async ({ open, bucket }) => {
    const storage = open();
    const gate = Promise.withResolvers<void>();
    const hanging = async function* () {
      yield* inChunks(noise(11 * MIB));
      await gate.promise;
      throw new Error("never finished");
    };
    const writing = storage.write("left", hanging()).catch(() => undefined);
    const other = openS3(s3Config(server, bucket));
    const list = async () => {
      const found = [];
      for await (const upload of other.unfinishedUploads!.list()) found.push(upload);
      return found;
    };
    let found = await list();
    while (found.length === 0) found = await list();
    assertEquals(found.map(({ path }) => path), ["left"]);
    assert(Math.abs(found[0]!.startTime! - Date.now() / 1000) < 60);
    await other.unfinishedUploads!.abort(found[0]!);
    await other.unfinishedUploads!.abort(found[0]!);
    assertEquals(await list(), []);
    gate.resolve();
    await writing;
    await other[Symbol.asyncDispose]();
  });

  await step(
    "an upload whose age the store does not tell may be that of a running backup",
    async ({ bucket, proxy }) => {
      const listing = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>" +
        "<Upload><Key>repo/running</Key><UploadId>1</UploadId></Upload></ListMultipartUploadsResult>";
      proxy.plan = ({ url }) => url.includes("uploads") ? { kind: "answer", status: 200, body: listing } : undefined;
      const context = testContext(hurryingClock());
      const storage = s3Config(server, bucket, { endpoint: `http://127.0.0.1:${proxy.port}` });
      const repositories = [{ ...repositoryConfig(1, "/repo"), storage }];
      assertEquals(await repoGc({ repositories, olderThanMs: 0, dryRun: false }, context), 0);
      assertIncludes(
        context.log.text(),
        "0 unfinished uploads aborted, 1 left alone whose age the store does not tell",
      );
      assertEquals(proxy.requests.map(({ method }) => method), ["GET"]);
    },
  );

  await step(
    "a list of uploads: asked for again in trouble, of this repository only, and not for ever",
    async ({ open }) => {
      const page = (key: string, next: string) => ({
        kind: "answer" as const,
        status: 200,
        body: `<ListMultipartUploadsResult><Upload><Key>${key}</Key><UploadId>1</UploadId></Upload>${
          next === "" ? "" : `<IsTruncated>true</IsTruncated><NextKeyMarker>${next}</NextKeyMarker>`
        }</ListMultipartUploadsResult>`,
      });
      const list = async () => {
        const found = [];
        for await (const { path } of open().unfinishedUploads!.list()) found.push(path);
        return found;
      };
      const answers = [page("repo/a", "repo/a"), { kind: "answer" as const, status: 503 }, page("other/b", "")];
      proxy.plan = () => answers.shift();
      assertEquals(await list(), ["a"]);
      assertEquals(answers, []);
      proxy.plan = () => page("repo/a", "repo/a");
      await refused("Protocol", ["repeats a page"], list);
    },
  );

  await step("wrong bucket, key, secret, token and place: one line each, at once", async ({ open }) => {
    const keys = (key: string, keySecret: string, token?: string) => ({
      credentials: { type: "shared" as const, key, keySecret, token },
    });
    await refused(
      "FileWrite",
      ["NoSuchBucket (HTTP 404)", "check repo-s3-bucket"],
      () => open({ bucket: "not-there" }).write("f", noise(1)),
    );
    await refused("PathOpen", ["NoSuchBucket"], () => open({ bucket: "not-there" }).info("f"));
    await refused(
      "Access",
      ["InvalidAccessKeyId", "check repo-s3-key"],
      () => open(keys("WRONG", SECRET)).write("f", noise(1)),
    );
    await refused(
      "Access",
      ["SignatureDoesNotMatch", "check repo-s3-key-secret"],
      () => open(keys(server.key, "wrong")).write("f", noise(1)),
    );
    await refused(
      "HostConnect",
      ["nothing listens there"],
      () =>
        open({ endpoint: `http://127.0.0.1:${freePorts(1)}`, network: { ioTimeoutMs: 500, retryMs: 500 } }).write(
          "f",
          noise(1),
        ),
    );
    await refused(
      "HostConnect",
      ["cannot be resolved"],
      () =>
        open({ endpoint: "http://no-such-host.invalid", network: { ioTimeoutMs: 500, retryMs: 500 } }).write(
          "f",
          noise(1),
        ),
    );
  });

  await step(
    "a key that may read and not write is told so, and a bucket's policy that forbids removal too",
    async ({ open, bucket }) => {
      await server.admin(
        "user",
        "create",
        "--uid=reader",
        "--display-name=r",
        "--access-key=READER",
        "--secret-key=reader-secret",
      );
      await refused(
        "Access",
        ["AccessDenied (HTTP 403)", "s3:PutObject"],
        () =>
          open({ bucket, credentials: { type: "shared", key: "READER", keySecret: "reader-secret" } }).write(
            "f",
            noise(1),
          ),
      );
    },
  );

  await step(
    "TLS: an authority that is known, one that is not, none asked for, a name that is not in the certificate",
    async ({ open }) => {
      const tls = (endpoint: string, caFile: string | undefined, verify = true) =>
        open({ endpoint, tls: { verify, caFile }, network: { ioTimeoutMs: 3000, retryMs: 3000 } });
      const endpoint = `https://127.0.0.1:${server.tlsPort}`;
      await tls(endpoint, certificates.caFile).write("f", noise(100));
      await refused(
        "Access",
        ["not trusted", "repo-storage-ca-file"],
        () => tls(endpoint, undefined).write("f", noise(1)),
      );
      await refused("Access", ["not trusted"], () => tls(endpoint, certificates.otherCaFile).write("f", noise(1)));
      await tls(endpoint, undefined, false).write("f", noise(100));
      const elsewhere = open({
        endpoint: "https://wrong.example.com",
        connect: { host: "127.0.0.1", port: server.tlsPort },
        tls: { verify: true, caFile: certificates.caFile },
        network: { ioTimeoutMs: 3000, retryMs: 3000 },
      });
      await refused("Access", ["another name"], () => elsewhere.write("f", noise(1)));
      // The name is the endpoint's, the connection goes elsewhere; the bucket is in the name.
      const virtual = open({
        endpoint: "https://s3.localhost",
        uriStyle: "host",
        connect: { host: "127.0.0.1", port: server.tlsPort },
        tls: { verify: true, caFile: certificates.caFile },
      });
      await virtual.write("f", noise(1000));
      assertEquals((await virtual.info("f"))?.sizeBytes, 1000);
    },
  );

  await step("what a lifecycle rule moved into an archive class is told as such", async ({ open }) => {
    const storage = open();
    const body = "<Error><Code>InvalidObjectState</Code><Message>not valid for its storage class</Message></Error>";
    proxy.plan = () => ({ kind: "answer", status: 403, body });
    await refused("FileRead", ["InvalidObjectState", "archive class"], () => storage.read("f"));
  });

  await step("TLS: a directory of authorities, as systems have it: with links that lead nowhere", async (place) => {
    const path = await folder.directory("authorities", 0o755);
    await Deno.copyFile(certificates.caFile, `${path}/ca.pem`);
    await Deno.mkdir(`${path}/more`);
    for (const [name, destination] of [["gone.0", "none"], ["linked", "more"]] as const) {
      await Deno.symlink(destination, `${path}/${name}`);
    }
    const storage = place.open({
      endpoint: `https://127.0.0.1:${server.tlsPort}`,
      tls: { verify: true, caPath: path },
    });
    await storage.write("f", noise(10));
  });

  await step("keys that ended: told when they are for ever, fetched anew when they are not", async ({ open }) => {
    const expired: Fault = {
      kind: "answer",
      status: 400,
      body: "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>",
    };
    proxy.plan = () => expired;
    await refused("FileWrite", ["ExpiredToken (HTTP 400)", "renew repo-s3-token"], () => open().write("f", noise(1)));
    let left = 1;
    proxy.plan = () => (left-- > 0 ? expired : undefined);
    const keys = JSON.stringify({ AccessKeyId: server.key, SecretAccessKey: SECRET });
    const renewing = open({ credentials: { type: "process", command: ["printf", "%s", keys] } });
    await renewing.write("f", noise(10));
    assertEquals((await renewing.info("f"))?.sizeBytes, 10);
  });

  await step("an answer in another language than XML is told as such", async ({ open }) => {
    proxy.plan = () => ({ kind: "answer", status: 200, body: "<html>log in to the hotel's network</html>" });
    await refused("Protocol", ["the answer is no listing", "log-in page"], async () => {
      for await (const _entry of open().list("d")) { /* nothing is there to be seen */ }
    });
  });

  await step("a success that S3 does not give is none", async ({ open }) => {
    const error = "<Error><Code>InternalError</Code><Message>try again</Message></Error>";
    const answers = (answer: (method: string, url: string) => string | undefined, headers = {}) => {
      proxy.plan = ({ method, url }) => {
        const body = answer(method, url);
        return body === undefined ? undefined : { kind: "answer", status: 200, body, headers };
      };
    };
    const storage = open();
    const names = ["d/a", "d/b"];
    for (const name of names) await storage.write(name, noise(10));
    const page = "<html>log in to the hotel's network</html>";
    answers((method) => method === "PUT" || method === "DELETE" || method === "HEAD" ? page : undefined);
    await refused("Protocol", ["s3://", "/repo/f'", "has no ETag"], () => storage.write("f", noise(10)));
    await refused("Protocol", ["/repo/d/a'", "not that of a removal"], () => storage.remove("d/a"));
    await refused("Protocol", ["/repo/d/a'", "no object"], () => storage.info("d/a"));
    answers((method) => method === "POST" ? page : undefined);
    await refused("Protocol", ["no list of removals"], () => storage.removeMany(names));
    await refused("Protocol", ["no beginning of an upload"], () => storage.write("f", inChunks(noise(12 * MIB))));
    answers((_method, url) => /[?&]uploadId=/.test(url) && !url.includes("partNumber") ? page : undefined);
    await refused("Protocol", ["no end of an upload"], () => storage.write("f", inChunks(noise(12 * MIB))));

    // Told behind a 200, with a line feed behind it: each time the next try brings it home.
    for (const when of [/[?&]uploadId=[^&]+$/, /x-id=PutObject/, /[?&]delete/]) {
      let left = 1;
      answers((_method, url) => when.test(url) && left-- > 0 ? `${error}\n` : undefined);
      if (when.source.includes("uploadId")) await storage.write("f", inChunks(noise(12 * MIB)));
      else if (when.source.includes("Put")) await storage.write("d/c", noise(10));
      else await storage.removeMany(names);
      assertEquals(left < 1, true, `${when.source} was not asked for`);
    }
    proxy.plan = () => undefined;
    const left = [];
    for await (const { name } of storage.list("", { recurse: true })) left.push(name);
    assertEquals(left.sort(), ["d/c", "f"]);
  });

  await step("a listing that does not say how it goes on, or that is of elsewhere, is refused", async ({ open }) => {
    const storage = open();
    const listing = (key: string, more: string) => ({
      kind: "answer" as const,
      status: 200,
      headers: { "content-type": "application/xml" },
      body:
        `<ListBucketResult><Name>b</Name>${more}<Contents><Key>${key}</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>`,
    });
    const names = async () => {
      for await (const _entry of storage.list("d")) { /* until it is refused */ }
    };
    // As stores answer that know only the older way to list.
    proxy.plan = () => listing("repo/d/a", "<IsTruncated>true</IsTruncated><NextMarker>repo/d/a</NextMarker>");
    await refused("Protocol", ["/repo/d/'", "not how to go on"], names);
    proxy.plan = () => listing("other/a", "<IsTruncated>false</IsTruncated>");
    await refused("Protocol", ["/repo/d/'", "lists what is elsewhere"], names);
    await refused("Protocol", ["lists what is elsewhere"], () => storage.removeTree("d"));
    proxy.plan = () => listing("repo/d/100%", "<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>");
    await refused("Protocol", ["a key in the listing cannot be read"], names);
  });

  await step("an answer that is not the range that was asked for is not given out", async ({ open }) => {
    const storage = open();
    await storage.write("f", noise(100));
    proxy.plan = () => ({
      kind: "answer",
      status: 200,
      body: "0123456789",
      headers: { "etag": '"e"', "content-length": "10" },
    });
    for (const offsetBytes of [0, 5]) {
      await refused(
        "Protocol",
        ["/repo/f'", "not the range"],
        () => storage.read("f", { offsetBytes, lengthBytes: 3 }),
      );
    }
    // Also where the whole was asked for, broke, and what came then begins anew.
    let asked = 0;
    proxy.plan = () =>
      asked++ === 0
        ? { kind: "cut answer", afterBytes: 50 }
        : { kind: "answer", status: 200, body: "x".repeat(100), headers: { "etag": '"e"', "content-length": "100" } };
    await refused("Protocol", ["not the range"], () => contentOf(storage, "f"));
  });

  await step("an empty page that is not the last one is neither a path nor the end of looking", async ({ open }) => {
    const page = (content: string, more: boolean) =>
      `<?xml version="1.0"?><ListBucketResult><Name>b</Name><MaxKeys>1</MaxKeys><IsTruncated>${more}</IsTruncated>` +
      `${more ? "<NextContinuationToken>next</NextContinuationToken>" : ""}${content}</ListBucketResult>`;
    const object =
      "<Contents><Key>repo/d/f</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size></Contents>";
    for (const [last, type] of [["", undefined], [object, "path"]] as const) {
      const pages = [page("", true), page(last, false)];
      proxy.plan = ({ method, url }) =>
        method === "GET" && url.includes("list-type=2")
          ? { kind: "answer", status: 200, body: pages.shift()! }
          : undefined;
      assertEquals((await open().info("d"))?.type, type);
      assertEquals(pages, []);
    }
  });

  await step("content that flows slowly is not given up: every piece is a sign of life", async ({ open, server }) => {
    // Four seconds for a whole that the system's own buffers do not hold, at one and a half of silence.
    await using slow = DelayingProxy.start(server.port, 0, 4 * MIB);
    const storage = open({
      endpoint: `http://127.0.0.1:${slow.port}`,
      network: { ioTimeoutMs: 1500, retryMs: 0 },
      uploadChunkBytes: 64 * MIB,
    });
    const content = noise(16 * MIB);
    await storage.write("slow", content);
    assertEquals(sha1Hex(await contentOf(open(), "slow")), sha1Hex(content));
  });

  await step("tags, customer keys and requests that others pay for arrive as they should", async ({ open, server }) => {
    const seen: SeenRequest[] = proxy.requests;
    const storage = open({
      tags: new Map([["team", "db & co"], ["tier", "gold"]]),
      sseCustomerKey: new Uint8Array(32).fill(7).toBase64(),
      requesterPays: true,
    });
    await storage.write("f", noise(100));
    assertEquals(seen[0]!.headers["x-amz-tagging"], "team=db+%26+co&tier=gold");
    assertEquals(seen[0]!.headers["x-amz-request-payer"], "requester");
    assertEquals((await contentOf(storage, "f")).length, 100);
    await refused("FileRead", [], () => open().read("f") as Promise<unknown>);
    // The server does not know that service; what was asked for is seen on the way.
    await assertThrows(() => open({ service: "s3-outposts", kmsKeyId: "key-7" }).write("f", noise(1)));
    const last = seen.at(-1)!.headers;
    assertIncludes(String(last.authorization), "/us-east-1/s3-outposts/aws4_request");
    assertEquals([last["x-amz-server-side-encryption"], last["x-amz-server-side-encryption-aws-kms-key-id"]], [
      "aws:kms",
      "key-7",
    ]);
    assertEquals(server.region, "us-east-1");
  });
});

testWith(
  SWIFT_PROGRAMS,
  "S3 on a server that looks at the region: a wrong one is told with the right one",
  async () => {
    await using server = await startSwift();
    const bucket = await server.makeBucket();
    await using storage = openS3(s3Config(server, bucket, { region: "mars-north-1" }));
    const error = await assertThrows<WalferryError>(() => storage.write("f", noise(1)));
    assertIncludes(error.text, "AuthorizationHeaderMalformed");
    assertIncludes(error.text, "check repo-s3-region");
    assertIncludes(error.text, "us-east-1");
  },
);
