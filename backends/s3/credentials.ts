/** Where the keys that sign requests come from (`repoN-s3-key-type`), and when they are fetched anew. */
import type { ErrorKind } from "../../src/errors.ts";
import type { ContainerCredentials, NetworkLimits, S3Credentials, TlsConfig } from "../config.ts";
import { askMetadata, type MetadataRequest } from "../metadata_request.ts";
import { answerOfProgram, type ProgramAnswer } from "../../src/process/secret_program.ts";
import { RenewedValue } from "../renewed_value.ts";
import { askForToken } from "../token_request.ts";
import { connectionFailure, isTransientStatus, RequestFailure } from "../request_failure.ts";

export interface SigningKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** When they end; absent = never. */
  readonly expiration?: Date;
}

/** How long the token that the instance's metadata server gives is asked to be good for, in seconds. */
const IMDS_TOKEN_SECONDS = 300;

/** Keys for the next request; fetched once and kept until shortly before they end, also when many ask at once. */
export class SigningKeySource {
  readonly #credentials: S3Credentials;
  readonly #tls: TlsConfig;
  readonly #limits: NetworkLimits;
  readonly #keys: RenewedValue<SigningKeys>;

  /** @param tls whom to trust who is not on this machine */
  constructor(credentials: S3Credentials, tls: TlsConfig, limits: NetworkLimits) {
    this.#credentials = credentials;
    this.#tls = tls;
    this.#limits = limits;
    this.#keys = new RenewedValue(async () => {
      const value = await this.#fetch();
      return { value, endMs: value.expiration?.getTime() ?? Infinity };
    });
  }

  /** @throws RequestFailure when no keys can be had */
  async keys(): Promise<SigningKeys> {
    return await this.#keys.get();
  }

  /** The store says that the keys are no longer good: the next request fetches new ones. False when these are for ever. */
  renew(): boolean {
    this.#keys.forget();
    return this.#credentials.type !== "shared";
  }

  #fetch(): Promise<SigningKeys> {
    const { ioTimeoutMs } = this.#limits;
    const credentials = this.#credentials;
    switch (credentials.type) {
      case "shared":
        return Promise.resolve({
          accessKeyId: credentials.key,
          secretAccessKey: credentials.keySecret,
          sessionToken: credentials.token,
        });
      case "auto":
        return credentials.container === undefined
          ? ofInstance(credentials.metadataUrl, credentials.role, ioTimeoutMs)
          : ofContainer(credentials.container, ioTimeoutMs);
      case "pod-id":
        return ofContainer(credentials.container, ioTimeoutMs);
      case "web-id":
        return ofWebIdentity(credentials, this.#tls, ioTimeoutMs);
      case "process":
        return ofProcess(credentials.command, ioTimeoutMs);
    }
  }
}

/** Role of the EC2 instance, by version 2 of its metadata service. */
async function ofInstance(metadataUrl: string, role: string | undefined, timeoutMs: number): Promise<SigningKeys> {
  const what = "the instance's metadata service";
  const token = await askMachine(what, `${metadataUrl}/latest/api/token`, {
    method: "PUT",
    headers: { "X-aws-ec2-metadata-token-ttl-seconds": String(IMDS_TOKEN_SECONDS) },
    timeoutMs,
  });
  const asking = { headers: { "X-aws-ec2-metadata-token": token }, timeoutMs };
  const base = `${metadataUrl}/latest/meta-data/iam/security-credentials/`;
  const name = role ?? (await askMachine(what, base, asking)).trim().split("\n")[0]!;
  if (name === "") throw refused(what, "the instance has no role", "attach one, or set repo-s3-key-type=shared.");
  return fromJson(what, await askMachine(what, `${base}${encodeURIComponent(name)}`, asking));
}

/** Role of an ECS task or EKS pod. */
async function ofContainer(container: ContainerCredentials, timeoutMs: number): Promise<SigningKeys> {
  const what = "the container's credential service";
  const token = container.tokenFile === undefined ? container.token : (await readText(container.tokenFile)).trim();
  const headers: Record<string, string> = token === undefined ? {} : { Authorization: token };
  return fromJson(what, await askMachine(what, container.url, { headers, timeoutMs }));
}

/** AssumeRoleWithWebIdentity of the security token service; its answer is XML. */
async function ofWebIdentity(
  { stsHost, roleArn, tokenFile }: Extract<S3Credentials, { type: "web-id" }>,
  tls: TlsConfig,
  timeoutMs: number,
): Promise<SigningKeys> {
  const what = "the security token service";
  const body = new URLSearchParams({
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: roleArn,
    RoleSessionName: "walferry",
    WebIdentityToken: (await readText(tokenFile)).trim(),
  });
  const url = /^https?:\/\//.test(stsHost) ? stsHost : `https://${stsHost}`;
  const xml = await answered(what, async () => {
    return await askForToken(`${url}/`, body, tls, AbortSignal.timeout(timeoutMs));
  });
  const value = (name: string) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(xml)?.[1];
  return checkedKeys(what, {
    AccessKeyId: value("AccessKeyId"),
    SecretAccessKey: value("SecretAccessKey"),
    Token: value("SessionToken"),
    Expiration: value("Expiration"),
  });
}

/** A program that prints credentials as AWS `credential_process` defines them. */
async function ofProcess(command: readonly string[], timeoutMs: number): Promise<SigningKeys> {
  const what = `credential program '${command[0]}'`;
  let answer: ProgramAnswer | undefined;
  try {
    answer = await answerOfProgram(command, timeoutMs);
  } catch (error) {
    throw refused(what, (error as Error).message, "check repo-s3-process-cmd.", "Execute", error);
  }
  const hint = "run it by hand to see why.";
  if (answer === undefined) throw refused(what, `it did not end within ${timeoutMs / 1000} s`, hint, "Execute");
  // Its words are not repeated: they may hold what it was asked for.
  if (answer.code !== 0) throw refused(what, `it ended with ${answer.code}`, hint, "Execute");
  return fromJson(what, answer.text);
}

function askMachine(what: string, url: string, request: MetadataRequest): Promise<string> {
  return answered(what, () => askMetadata(url, request));
}

async function answered(
  what: string,
  ask: () => Promise<{ readonly status: number; readonly text: string }>,
): Promise<string> {
  let status: number;
  let text: string;
  try {
    ({ status, text } = await ask());
  } catch (error) {
    throw connectionFailure(`${what} cannot be asked for keys`, error) ??
      refused(
        what,
        (error as Error).message,
        "is this host where repo-s3-key-type expects it to be?",
        "HostConnect",
        error,
      );
  }
  if (status >= 200 && status < 300) return text;
  const code = /<Code>([^<]+)<\/Code>/.exec(text)?.[1];
  throw new RequestFailure(
    isTransientStatus(status) ? "Service" : "Access",
    `${what} refused to give keys: HTTP ${status}${code === undefined ? "" : ` ${code}`}`,
    { transient: isTransientStatus(status), hint: "check the role and repo-s3-key-type." },
  );
}

function fromJson(what: string, text: string): SigningKeys {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // The text is not shown: it may hold a key.
    throw refused(what, "its answer is not JSON", "is there a proxy in between?", "Protocol", (error as Error).name);
  }
  return checkedKeys(what, (value ?? {}) as Record<string, unknown>);
}

function checkedKeys(what: string, value: Readonly<Record<string, unknown>>): SigningKeys {
  const text = (name: string) => (typeof value[name] === "string" && value[name] !== "" ? value[name] : undefined);
  const accessKeyId = text("AccessKeyId");
  const secretAccessKey = text("SecretAccessKey");
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw refused(what, "its answer holds no keys", "check the role and repo-s3-key-type.", "Protocol");
  }
  const expiration = text("Expiration");
  const end = expiration === undefined ? undefined : new Date(expiration);
  if (end !== undefined && Number.isNaN(end.getTime())) {
    throw refused(what, "the time at which its keys end cannot be read", "", "Protocol");
  }
  return { accessKeyId, secretAccessKey, sessionToken: text("Token") ?? text("SessionToken"), expiration: end };
}

async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw refused(`token file '${path}'`, (error as Error).message, "may this account read it?", "FileOpen", error);
  }
}

function refused(
  what: string,
  reason: string,
  hint: string,
  kind: ErrorKind = "Access",
  cause?: unknown,
): RequestFailure {
  return new RequestFailure(kind, `${what}: ${reason}`, {
    transient: false,
    hint: hint === "" ? undefined : hint,
    cause,
  });
}
