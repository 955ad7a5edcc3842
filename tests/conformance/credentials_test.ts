/** Keys and tokens that come from the machine: scripted servers answer as the providers document it. */
import { ManagedIdentity } from "../../backends/azure/managed_identity.ts";
import type { GcsStorageConfig, S3Credentials, TlsConfig } from "../../backends/config.ts";
import { SigningKeySource } from "../../backends/s3/credentials.ts";
import type { WalferryError } from "../../src/errors.ts";
import { generateKeyPairSync } from "node:crypto";
import { AccessTokenSource } from "../../backends/gcs/access_token.ts";
import { TestFolder } from "../support/accounts.ts";
import { makeCertificates } from "../support/certificates.ts";
import { testWith } from "../support/requirements.ts";
import { freePorts } from "../support/free_port.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";

const LIMITS = { ioTimeoutMs: 2000, retryMs: 2000 };
const SECRET = "a-very-secret-key";

/** A server that answers by a function; `asked` are the paths. */
async function withServer(
  answer: (request: Request) => Response | Promise<Response>,
  run: (url: string, asked: string[]) => Promise<void>,
): Promise<void> {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => undefined }, async (request) => {
    asked.push(`${request.method} ${new URL(request.url).pathname}`);
    return await answer(request);
  });
  try {
    await run(`http://127.0.0.1:${server.addr.port}`, asked);
  } finally {
    await server.shutdown();
  }
}

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
const keysJson = (expiration = inAnHour()) =>
  Response.json({ AccessKeyId: "AKID", SecretAccessKey: SECRET, Token: "token", Expiration: expiration });
const keysOf = (credentials: S3Credentials, tls: TlsConfig = { verify: true }) =>
  new SigningKeySource(credentials, tls, LIMITS);

async function refused(kind: string, part: string, credentials: S3Credentials): Promise<void> {
  const error = await assertThrows<WalferryError>(() => keysOf(credentials).keys());
  assertEquals(error.kind, kind, error.text);
  assertIncludes(error.text, part);
  assertEquals(error.text.includes(SECRET), false, "a secret is in the message");
}

Deno.test("role of an instance: a session token first, the role's name, the keys; kept until shortly before they end", async () => {
  let expiration = inAnHour();
  await withServer((request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/latest/api/token") {
      assertEquals([request.method, request.headers.get("x-aws-ec2-metadata-token-ttl-seconds")], ["PUT", "300"]);
      return new Response("session");
    }
    assertEquals(request.headers.get("x-aws-ec2-metadata-token"), "session");
    return pathname.endsWith("security-credentials/") ? new Response("backup-role\n") : keysJson(expiration);
  }, async (metadataUrl, asked) => {
    const source = keysOf({ type: "auto", metadataUrl });
    const [first] = await Promise.all([source.keys(), source.keys()]);
    assertEquals([first.accessKeyId, first.secretAccessKey, first.sessionToken], ["AKID", SECRET, "token"]);
    assertEquals(asked.map((path) => path.replace(/.*\//, "")), ["token", "", "backup-role"]);
    await source.keys();
    assertEquals(asked.length, 3);
    expiration = new Date(Date.now() + 60_000).toISOString();
    assertEquals(source.renew(), true);
    await source.keys();
    await source.keys();
    assertEquals(asked.length, 9, "keys that end in a minute are renewed at once");
    await keysOf({ type: "auto", metadataUrl, role: "named" }).keys();
    assertIncludes(asked.at(-1)!, "/named");
  });
});

Deno.test("a container's keys: the token file is read, and the address is the one of the environment", async () => {
  await using folder = await TestFolder.make();
  const tokenFile = await folder.file("token", "file-token\n");
  await withServer((request) => {
    assertEquals(request.headers.get("authorization"), "file-token");
    return keysJson();
  }, async (url) => {
    for (const type of ["pod-id", "auto"] as const) {
      const container = { url: `${url}/v1/credentials`, tokenFile };
      assertEquals(
        (await keysOf({ type, container, metadataUrl: "http://127.0.0.1:1" } as S3Credentials).keys()).accessKeyId,
        "AKID",
      );
    }
  });
  await refused("FileOpen", "/none", { type: "pod-id", container: { url: "http://127.0.0.1:1", tokenFile: "/none" } });
});

Deno.test("web identity: the token is exchanged at the security token service", async () => {
  await using folder = await TestFolder.make();
  const tokenFile = await folder.file("token", "web-token");
  await withServer(async (request) => {
    const form = new URLSearchParams(await request.text());
    assertEquals([form.get("Action"), form.get("RoleArn"), form.get("WebIdentityToken")], [
      "AssumeRoleWithWebIdentity",
      "arn:x",
      "web-token",
    ]);
    return new Response(
      `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><SessionToken>st</SessionToken><SecretAccessKey>${SECRET}</SecretAccessKey><Expiration>${inAnHour()}</Expiration><AccessKeyId>WEB</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
    );
  }, async (stsHost) => {
    const keys = await keysOf({ type: "web-id", stsHost, roleArn: "arn:x", tokenFile }).keys();
    assertEquals([keys.accessKeyId, keys.secretAccessKey, keys.sessionToken], ["WEB", SECRET, "st"]);
  });
  await withServer(
    () =>
      new Response(
        `<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>${SECRET}</Message></Error></ErrorResponse>`,
        { status: 400 },
      ),
    (stsHost) =>
      refused("Access", "HTTP 400 ExpiredTokenException", { type: "web-id", stsHost, roleArn: "arn:x", tokenFile }),
  );
});

testWith(
  ["openssl"],
  "services that give tokens are trusted as the store is: by the authorities that are configured for it",
  async () => {
    await using folder = await TestFolder.make();
    const { caFile, otherCaFile, certFile, keyFile } = await makeCertificates(await folder.directory("tls", 0o755));
    const tokenFile = await folder.file("jwt", "jwt");
    const server = Deno.serve(
      {
        hostname: "127.0.0.1",
        port: 0,
        onListen: () => undefined,
        cert: await Deno.readTextFile(certFile),
        key: await Deno.readTextFile(keyFile),
      },
      (request) =>
        new URL(request.url).pathname === "/token"
          ? Response.json({ access_token: "gcs", expires_in: 3600 })
          : new Response(`<R><AccessKeyId>WEB</AccessKeyId><SecretAccessKey>${SECRET}</SecretAccessKey></R>`),
    );
    try {
      const address = `https://127.0.0.1:${server.addr.port}`;
      const webId = { type: "web-id", stsHost: address, roleArn: "arn:x", tokenFile } as const;
      const { privateKey } = generateKeyPairSync("rsa", {
        modulusLength: 2048,
        publicKeyEncoding: { type: "spki", format: "pem" },
        privateKeyEncoding: { type: "pkcs8", format: "pem" },
      });
      const account = { client_email: "a@b", private_key: privateKey, token_uri: `${address}/token` };
      const gcsKey = await folder.file("key.json", JSON.stringify(account));
      const gcs = (tls: TlsConfig) =>
        new AccessTokenSource(
          { credentials: { type: "service", keyFile: gcsKey }, tls, network: LIMITS } as GcsStorageConfig,
        );
      assertEquals((await keysOf(webId, { verify: true, caFile }).keys()).accessKeyId, "WEB");
      assertEquals(await gcs({ verify: true, caFile }).token(), "gcs");
      for (
        const action of [
          () => keysOf(webId, { verify: true, caFile: otherCaFile }).keys(),
          () => gcs({ verify: true, caFile: otherCaFile }).token(),
        ]
      ) {
        const error = await assertThrows<WalferryError>(action);
        assertEquals(error.kind, "Access", error.text);
        assertIncludes(error.text, "not trusted");
      }
    } finally {
      await server.shutdown();
    }
  },
);

Deno.test("a program's keys, and programs that give none", async () => {
  const json = JSON.stringify({ Version: 1, AccessKeyId: "P", SecretAccessKey: SECRET });
  const keys = await keysOf({ type: "process", command: ["printf", "%s", json] }).keys();
  assertEquals([keys.accessKeyId, keys.expiration], ["P", undefined]);
  await refused("Execute", "ended with 3", { type: "process", command: ["sh", "-c", `echo ${SECRET}; exit 3`] });
  await refused("Execute", "/none/program", { type: "process", command: ["/none/program"] });
  await refused("Protocol", "not JSON", { type: "process", command: ["echo", SECRET] });
  await refused("Protocol", "holds no keys", {
    type: "process",
    command: ["echo", JSON.stringify({ AccessKeyId: SECRET })],
  });
});

Deno.test("a program that hangs, prints without end or leaves somebody behind with its output holds nobody up", async () => {
  const startMs = performance.now();
  const sh = (script: string) => ({ type: "process" as const, command: ["sh", "-c", script] });
  const json = `printf %s '${JSON.stringify({ AccessKeyId: "P", SecretAccessKey: SECRET })}'`;
  assertEquals((await keysOf(sh(`sleep 20 & ${json}`)).keys()).accessKeyId, "P");
  await refused("Execute", "did not end within 2 s", sh("trap '' TERM; sleep 20; sleep 20"));
  await refused("Execute", "ended with 137", sh("yes"));
  assert(performance.now() - startMs < 8000, "somebody was waited for");
});

Deno.test("servers that refuse, answer nonsense, or are not there", async () => {
  await withServer(
    () => new Response("no", { status: 404 }),
    (metadataUrl) => refused("Access", "HTTP 404", { type: "auto", metadataUrl }),
  );
  await withServer(() => new Response("", { status: 503 }), async (metadataUrl) => {
    const error = await assertThrows<WalferryError & { transient: boolean }>(() =>
      keysOf({ type: "auto", metadataUrl }).keys()
    );
    assertEquals([error.kind, error.transient], ["Service", true]);
  });
  await refused("HostConnect", "cannot be asked for keys", {
    type: "auto",
    metadataUrl: `http://127.0.0.1:${freePorts(1)}`,
  });
});

Deno.test("a managed identity's token is kept until shortly before it ends", async () => {
  await withServer((request) => {
    assertEquals(request.headers.get("metadata"), "true");
    assertEquals(new URL(request.url).searchParams.get("resource"), "https://storage.azure.com/");
    return Response.json({ access_token: "t", expires_on: String(Math.floor(Date.now() / 1000) + 3600) });
  }, async (url, asked) => {
    const identity = new ManagedIdentity(url, 2000);
    assertEquals((await identity.getToken()).token, "t");
    await identity.getToken();
    assertEquals(asked.length, 1);
  });
  await withServer(() => Response.json({ error: "invalid_request" }, { status: 400 }), async (url) => {
    const error = await assertThrows<WalferryError>(() => new ManagedIdentity(url, 2000).getToken());
    assertEquals(error.kind, "Access");
    assert(error.text.includes("managed identity"));
  });
});

Deno.test("who the machine is is asked on the machine, not of the proxy that is set for the rest of the world", async () => {
  const address = (path: string) => JSON.stringify(new URL(`../../backends/${path}`, import.meta.url).href);
  await withServer(
    ({ url }) =>
      url.includes("computeMetadata")
        ? Response.json({ access_token: "gcs", expires_in: 3600 })
        : url.includes("identity/oauth2")
        ? Response.json({ access_token: "azure", expires_on: "4000000000" })
        : keysJson(),
    async (metadataUrl) => {
      const script = `
        import { ManagedIdentity } from ${address("azure/managed_identity.ts")};
        import { AccessTokenSource } from ${address("gcs/access_token.ts")};
        import { SigningKeySource } from ${address("s3/credentials.ts")};
        const network = { ioTimeoutMs: 5000, retryMs: 0 };
        const url = ${JSON.stringify(metadataUrl)};
        const s3 = new SigningKeySource({ type: "pod-id", container: { url: url + "/keys" } }, { verify: true }, network);
        const gcs = new AccessTokenSource({ credentials: { type: "auto", metadataUrl: url }, network });
        const azure = new ManagedIdentity(url, 5000);
        console.log((await s3.keys()).accessKeyId, await gcs.token(), (await azure.getToken()).token);`;
      // Nobody listens at the proxy's place: whoever asks it fails.
      const nobody = `http://127.0.0.1:${freePorts(1)}`;
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "--no-check",
          "--quiet",
          `--config=${new URL("../../deno.json", import.meta.url).pathname}`,
          "-",
        ],
        env: { HTTP_PROXY: nobody, http_proxy: nobody, NO_PROXY: "", no_proxy: "" },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(script));
      await writer.close();
      const { stdout, stderr } = await child.output();
      assertEquals(new TextDecoder().decode(stdout).trim(), "AKID gcs azure", new TextDecoder().decode(stderr));
    },
  );
});
