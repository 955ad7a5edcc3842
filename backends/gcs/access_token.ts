/**
 * Tokens for requests to GCS (`repoN-gcs-key-type`). The assertion of a service account is signed here: Google's own library always asks
 * its public token server, whatever the key file says, which leaves out sovereign clouds.
 */
import { createSign } from "node:crypto";
import type { ErrorKind } from "../../src/errors.ts";
import type { GcsStorageConfig } from "../config.ts";
import { type EndingValue, RenewedValue } from "../renewed_value.ts";
import { connectionFailure, isTransientStatus, RequestFailure } from "../request_failure.ts";

const SCOPE = "https://www.googleapis.com/auth/devstorage.read_write";
/** How long a token is asked to be good for, in seconds; more than an hour is refused. */
const TOKEN_SECONDS = 3600;
export class AccessTokenSource {
  readonly #config: GcsStorageConfig;
  readonly #tokens: RenewedValue<string>;

  constructor(config: GcsStorageConfig) {
    this.#config = config;
    this.#tokens = new RenewedValue(() => this.#fetch());
  }

  /** A token that is good for some minutes. @throws RequestFailure when none can be had */
  async token(): Promise<string> {
    return await this.#tokens.get();
  }

  /** The store refused the token: the next request fetches another. False when there is no other. */
  renew(): boolean {
    this.#tokens.forget();
    return this.#config.credentials.type !== "token";
  }

  async #fetch(): Promise<EndingValue<string>> {
    const { credentials, network } = this.#config;
    switch (credentials.type) {
      case "token":
        return { value: credentials.token, endMs: Infinity };
      case "service":
        return await ofServiceAccount(credentials.keyFile, network.ioTimeoutMs);
      case "auto":
        return await ofMachine(credentials.metadataUrl, network.ioTimeoutMs);
    }
  }
}

/** RFC 7523: a signed assertion is exchanged for a token. The key file is read anew each time, so that it can be replaced. */
async function ofServiceAccount(keyFile: string, timeoutMs: number): Promise<EndingValue<string>> {
  const { client_email: account, private_key: key, private_key_id: keyId, token_uri: tokenUrl } = readKeyFile(keyFile);
  const nowSeconds = Math.floor(Date.now() / 1000);
  const claims = { iss: account, scope: SCOPE, aud: tokenUrl, iat: nowSeconds, exp: nowSeconds + TOKEN_SECONDS };
  const encode = (value: unknown) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });
  const content = `${encode({ alg: "RS256", typ: "JWT", kid: keyId })}.${encode(claims)}`;
  let signature: string;
  try {
    signature = createSign("RSA-SHA256").update(content).sign(key, "base64url");
  } catch (error) {
    throw refused(`the private key in '${keyFile}' cannot be used`, (error as Error).name, "Crypto");
  }
  const body = new URLSearchParams({
    grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
    assertion: `${content}.${signature}`,
  });
  return await ask("the token server", tokenUrl, timeoutMs, { method: "POST", body });
}

/** The service account of the machine, from its metadata server. */
async function ofMachine(metadataUrl: string, timeoutMs: number): Promise<EndingValue<string>> {
  return await ask(
    "the machine's metadata server",
    `${metadataUrl}/computeMetadata/v1/instance/service-accounts/default/token`,
    timeoutMs,
    { headers: { "Metadata-Flavor": "Google" } },
  );
}

async function ask(what: string, url: string, timeoutMs: number, init: RequestInit): Promise<EndingValue<string>> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { ...init, redirect: "manual", signal: AbortSignal.timeout(timeoutMs) });
    text = await response.text();
  } catch (error) {
    throw connectionFailure(`${what} cannot be asked for a token`, error) ??
      refused(`${what} cannot be asked for a token`, (error as Error).message, "HostConnect");
  }
  const answer = parsed(text);
  if (!response.ok) {
    const said = [answer.error, answer.error_description].filter((part) => typeof part === "string").join(": ");
    throw new RequestFailure(
      isTransientStatus(response.status) ? "Service" : "Access",
      `${what} gave no token: HTTP ${response.status}${said === "" ? "" : ` ${said.slice(0, 200)}`}`,
      {
        transient: isTransientStatus(response.status),
        hint:
          "check repo-gcs-key-type, the key file, whether the account still has this key, and the clock of this host.",
      },
    );
  }
  const { access_token: token, expires_in: seconds } = answer;
  if (typeof token !== "string" || typeof seconds !== "number") {
    throw refused(what, "its answer holds no token", "Protocol");
  }
  return { value: token, endMs: Date.now() + seconds * 1000 };
}

interface KeyFile {
  readonly client_email: string;
  readonly private_key: string;
  readonly private_key_id?: string;
  readonly token_uri: string;
}

function readKeyFile(path: string): KeyFile {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw refused(`unable to open file '${path}' for read`, (error as Error).message, "FileOpen");
  }
  const value = parsed(text);
  for (const name of ["client_email", "private_key", "token_uri"]) {
    if (typeof value[name] !== "string") {
      throw refused(`'${path}' is not the key file of a service account`, `it has no ${name}`, "FileInvalid");
    }
  }
  return value as unknown as KeyFile;
}

/** What is no JSON object has none of the values that are looked for; it is not repeated, it may hold a secret. */
function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(text) ?? {}) as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return {};
  }
}

function refused(what: string, reason: string, kind: ErrorKind): RequestFailure {
  return new RequestFailure(kind, `${what}: ${reason}`, {
    transient: false,
    hint: "check repo-gcs-key and repo-gcs-key-type.",
  });
}
