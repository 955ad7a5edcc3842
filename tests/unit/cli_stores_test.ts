import type { AzureStorageConfig, S3StorageConfig, SftpStorageConfig, StorageConfig } from "../../backends/config.ts";
import { parseCommandLine } from "../../src/cli/command_line.ts";
import { Configuration } from "../../src/cli/configuration.ts";
import { parseConfig } from "../../src/cli/config_file.ts";
import { repositories } from "../../src/cli/typed_options.ts";
import type { ErrorKind, WalferryError } from "../../src/errors.ts";
import { assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";

const S3 =
  "repo1-type=s3\nrepo1-s3-bucket=b\nrepo1-s3-endpoint=s3.eu-west-1.amazonaws.com\nrepo1-s3-region=eu-west-1\n";
const KEYS = "repo1-s3-key=AKID\nrepo1-s3-key-secret=very-secret\n";

function stores(global: string, environment: Record<string, string> = {}, command = "info"): StorageConfig[] {
  const config = Configuration.make({
    command: command as "info",
    commandLine: parseCommandLine(["--stanza=main", command, ...(command === "archive-push" ? ["x"] : [])]),
    environment,
    lines: parseConfig(`[global]\n${global}[main]\npg1-path=/pg\n`, "test.conf"),
  });
  return repositories(config).map(({ storage }) => storage);
}

const s3 = (more: string, environment?: Record<string, string>) => stores(S3 + more, environment)[0] as S3StorageConfig;

async function refused(
  kind: ErrorKind,
  part: string,
  global: string,
  environment?: Record<string, string>,
): Promise<void> {
  const error = await assertThrows<WalferryError>(() => stores(global, environment));
  assertEquals(error.kind, kind, error.text);
  assertIncludes(error.text, part);
  assertEquals(error.text.includes("very-secret"), false, "a secret is in the message");
}

Deno.test("an S3 repository with nothing special", () => {
  const found = s3(KEYS);
  assertEquals(found.endpoint, "https://s3.eu-west-1.amazonaws.com");
  assertEquals([found.bucket, found.region, found.uriStyle, found.path], [
    "b",
    "eu-west-1",
    "host",
    "/var/lib/pgbackrest",
  ]);
  assertEquals(found.credentials, { type: "shared", key: "AKID", keySecret: "very-secret", token: undefined });
  assertEquals([found.tls.verify, found.connect, found.uploadChunkBytes], [true, undefined, 5 * 1024 * 1024]);
  assertEquals([found.conditionalWrite, found.requesterPays, found.service], [true, false, "s3"]);
  assertEquals(found.network, { ioTimeoutMs: 60_000, retryMs: 60_000 });
});

Deno.test("endpoints with and without scheme and port, and hosts to connect to instead", () => {
  const at = (endpoint: string, more = "") => {
    const { endpoint: origin, connect } = stores(
      `${S3.replace("s3.eu-west-1.amazonaws.com", endpoint)}${KEYS}${more}`,
    )[0] as S3StorageConfig;
    return [origin, connect === undefined ? undefined : `${connect.host}:${connect.port}`];
  };
  assertEquals(at("minio:9000"), ["https://minio:9000", undefined]);
  assertEquals(at("http://minio:9000"), ["http://minio:9000", undefined]);
  assertEquals(at("http://minio"), ["http://minio", undefined]);
  assertEquals(at("minio", "repo1-storage-port=9000\n"), ["https://minio:9000", undefined]);
  assertEquals(at("s3.local", "repo1-storage-host=10.0.0.1\n"), ["https://s3.local", "10.0.0.1:443"]);
  assertEquals(at("s3.local", "repo1-storage-host=10.0.0.1\nrepo1-storage-port=9000\n"), [
    "https://s3.local",
    "10.0.0.1:9000",
  ]);
  assertEquals(at("s3.local", "repo1-storage-host=http://10.0.0.1:8080\n"), ["http://s3.local", "10.0.0.1:8080"]);
  assertEquals(at("s3.local", "repo1-s3-host=old\nrepo1-s3-port=1\n"), ["https://s3.local", "old:1"]);
});

Deno.test("S3 settings that are no good are told by name, without secrets", async () => {
  await refused("OptionRequired", "repo1-s3-key-secret", S3 + "repo1-s3-key=AKID\n");
  await refused("OptionInvalidValue", "host name is expected", S3.replace("s3.eu", "host/path?x=s3.eu") + KEYS);
  await refused("OptionInvalidValue", "TLS certificates do not fit", S3.replace("=b\n", "=a.b\n") + KEYS);
  await refused("OptionInvalidValue", "32 bytes", S3 + KEYS + "repo1-s3-sse-customer-key=very-secret\n");
  await refused("OptionRequired", "AWS_ROLE_ARN", S3 + "repo1-s3-key-type=web-id\n");
  await refused("OptionRequired", "AWS_CONTAINER_CREDENTIALS_FULL_URI", S3 + "repo1-s3-key-type=pod-id\n");
  await refused("OptionRequired", "repo1-s3-process-cmd", S3 + "repo1-s3-key-type=process\n");
  await refused(
    "OptionInvalidValue",
    "repo1 and repo2 are both",
    `${S3}${KEYS}${(S3 + KEYS).replaceAll("repo1", "repo2")}`,
  );
  assertEquals(s3(KEYS + "repo1-s3-uri-style=path\n").uriStyle, "path");
});

Deno.test("where S3 keys come from", () => {
  assertEquals(s3("repo1-s3-key-type=auto\n").credentials, {
    type: "auto",
    role: undefined,
    container: undefined,
    metadataUrl: "http://169.254.169.254",
  });
  const ecs = s3("repo1-s3-key-type=auto\nrepo1-s3-role=r\n", { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2/x" });
  assertEquals(ecs.credentials.type === "auto" && ecs.credentials.container?.url, "http://169.254.170.2/v2/x");
  const web = s3("repo1-s3-key-type=web-id\n", { AWS_ROLE_ARN: "arn:x", AWS_WEB_IDENTITY_TOKEN_FILE: "/token" });
  assertEquals(web.credentials, {
    type: "web-id",
    stsHost: "sts.amazonaws.com",
    roleArn: "arn:x",
    tokenFile: "/token",
  });
  const process = s3("repo1-s3-key-type=process\nrepo1-s3-process-cmd=/bin/get\nrepo1-s3-process-cmd=--fast\n");
  assertEquals(process.credentials, { type: "process", command: ["/bin/get", "--fast"] });
});

Deno.test("Azure, GCS and SFTP repositories", async () => {
  const azure = stores(
    "repo1-type=azure\nrepo1-azure-account=acc\nrepo1-azure-container=c\nrepo1-azure-key=a2V5\n",
  )[0] as AzureStorageConfig;
  assertEquals([azure.endpoint, azure.account, azure.uriStyle], ["https://blob.core.windows.net", "acc", "host"]);
  const gcs = stores("repo1-type=gcs\nrepo1-gcs-bucket=b\nrepo1-gcs-key=/key.json\n")[0]!;
  assertEquals(gcs.type === "gcs" && gcs.credentials, { type: "service", keyFile: "/key.json" });
  const SFTP = "repo1-type=sftp\nrepo1-sftp-host=h\nrepo1-sftp-host-user=u\nrepo1-sftp-private-key-file=/k\n";
  const sftp = stores(SFTP, { HOME: "/home/u" })[0] as SftpStorageConfig;
  assertEquals([sftp.port, sftp.hostKeyCheck, sftp.transport, sftp.homePath], [22, "strict", "ssh2", "/home/u"]);
  await refused("OptionRequired", "repo1-sftp-host-fingerprint", SFTP + "repo1-sftp-host-key-check-type=fingerprint\n");
  await refused("OptionInvalid", "repo1-sftp-host-fingerprint", SFTP + "repo1-sftp-host-fingerprint=aa\n");
  await refused("OptionRequired", "repo1-sftp-private-key-file", SFTP.replace(/repo1-sftp-private.*\n/, ""));
});

Deno.test("a rate limit is one for each repository, and its account crosses threads", () => {
  const [first, second] = stores("repo1-path=/a\nrepo2-path=/b\nrepo2-max-rate=10MiB\nmax-rate=1MiB\n");
  assertEquals([first!.rateLimit?.bytesPerSecond, second!.rateLimit?.bytesPerSecond], [1024 ** 2, 10 * 1024 ** 2]);
  assertEquals(first!.rateLimit!.account instanceof SharedArrayBuffer, true);
  assertEquals(first!.rateLimit!.account === second!.rateLimit!.account, false);
  assertEquals(stores("repo1-path=/a\n")[0]!.rateLimit, undefined);
});

Deno.test("archive commands try again for as long as PostgreSQL may wait", () => {
  const [store] = stores(`${S3}${KEYS}io-timeout=5\narchive-timeout=90\n`, {}, "archive-push");
  assertEquals((store as S3StorageConfig).network, { ioTimeoutMs: 5000, retryMs: 90_000 });
});
