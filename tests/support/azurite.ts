/** A real enough Azure: Azurite, which checks signatures, conditions and block lists. Installed on demand. */
import { ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import type { AzureStorageConfig } from "../../backends/config.ts";
import { sharedPlace, TestFolder } from "./accounts.ts";
import type { Certificates } from "./certificates.ts";
import { freePorts, untilListening } from "./free_port.ts";
import { unavailable } from "./requirements.ts";

const VERSION = "3.37.0";

/** Programs that it needs (see testWith). */
export const AZURITE_PROGRAMS = ["node", "npm"];

/** The server's entry; installs the package when needed. */
async function azuritePath(): Promise<string> {
  const root = `${sharedPlace}/.ci-state/azurite`;
  const path = `${root}/node_modules/azurite/dist/src/blob/main.js`;
  try {
    await Deno.lstat(path);
    return path;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(root, { recursive: true });
  const { success, stderr } = await new Deno.Command("npm", {
    args: [
      "install",
      "--silent",
      "--no-save",
      "--no-audit",
      "--no-fund",
      "--ignore-scripts",
      "--prefix",
      root,
      `azurite@${VERSION}`,
    ],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) return unavailable(`Azurite cannot be installed: ${new TextDecoder().decode(stderr)}`);
  return path;
}

export class Azurite implements AsyncDisposable {
  readonly account = "walferrytest";
  readonly key = btoa("a key of an account that is only for tests");
  readonly port: number;
  /** Whether it speaks TLS; then its name is `localhost`. */
  readonly tls: Certificates | undefined;
  readonly #child: Deno.ChildProcess;
  readonly #folder: TestFolder;

  private constructor(port: number, tls: Certificates | undefined, child: Deno.ChildProcess, folder: TestFolder) {
    this.port = port;
    this.tls = tls;
    this.#child = child;
    this.#folder = folder;
  }

  /** Starts a server with everything in memory, over TLS when it is given certificates. */
  static async start(tls?: Certificates): Promise<Azurite> {
    const path = await azuritePath();
    const folder = await TestFolder.make();
    const port = freePorts(1);
    const server = new Azurite(
      port,
      tls,
      new Deno.Command("node", {
        args: [
          path,
          "--inMemoryPersistence",
          "--blobHost",
          "127.0.0.1",
          "--blobPort",
          String(port),
          "--silent",
          "--disableTelemetry",
          // The client is newer than it.
          "--skipApiVersionCheck",
          // Bearer tokens it takes over TLS only, and looks at their claims, not at their signature.
          ...(tls === undefined ? [] : ["--cert", tls.certFile, "--key", tls.keyFile, "--oauth", "basic"]),
        ],
        cwd: folder.path,
        env: { AZURITE_ACCOUNTS: `walferrytest:${btoa("a key of an account that is only for tests")}` },
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn(),
      folder,
    );
    await untilListening(port);
    return server;
  }

  get endpoint(): string {
    return this.tls === undefined ? `http://127.0.0.1:${this.port}` : `https://localhost:${this.port}`;
  }

  /** Makes a container with a name that is free and gives the name. */
  async makeContainer(): Promise<string> {
    const name = `c${crypto.randomUUID().slice(0, 18)}`;
    const config = this.config(name);
    const { makeClient } = await import("../../backends/azure/client.ts");
    const { container, agent } = makeClient(config);
    await container.create();
    agent.destroy();
    return name;
  }

  /** Configuration of a repository on it. */
  config(container: string, more: Partial<AzureStorageConfig> = {}): AzureStorageConfig {
    return {
      type: "azure",
      path: "/repo",
      account: this.account,
      container,
      endpoint: this.endpoint,
      uriStyle: "path",
      credentials: { type: "shared", key: this.key },
      tls: { verify: true, caFile: this.tls?.caFile },
      tags: new Map(),
      uploadChunkBytes: 4 * 1024 * 1024,
      network: { ioTimeoutMs: 20_000, retryMs: 20_000 },
      ...more,
    };
  }

  /** A SAS token for a container. @param permissions letters, as `rcwdl` */
  sas(container: string, permissions: string, expires = new Date(Date.now() + 3_600_000)): Promise<string> {
    return containerSas(this, container, permissions, expires);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#folder[Symbol.asyncDispose]();
  }
}

async function containerSas(server: Azurite, container: string, permissions: string, expires: Date): Promise<string> {
  const { ContainerSASPermissions } = await import("@azure/storage-blob");
  const client = new ContainerClient(
    `${server.endpoint}/${server.account}/${container}`,
    new StorageSharedKeyCredential(server.account, server.key),
  );
  const url = await client.generateSasUrl({
    permissions: ContainerSASPermissions.parse(permissions),
    expiresOn: expires,
  });
  return url.slice(url.indexOf("?") + 1);
}
