/**
 * Tokens for requests to GCS (`repoN-gcs-key-type`). The assertion of a service account is signed here: Google's own library always asks
 * its public token server, whatever the key file says, which leaves out sovereign clouds.
 */
import { createSign } from "node:crypto";
import { type ErrorKind, WalferryError } from "../../src/errors.ts";
import type { GcsStorageConfig, TlsConfig } from "../config.ts";
import { askMetadata } from "../metadata_request.ts";
import { type EndingValue, RenewedValue } from "../renewed_value.ts";
import { askForToken } from "../token_request.ts";
import { withoutSecrets } from "./errors.ts";
import { connectionFailure, isTransientStatus, RequestFailure } from "../request_failure.ts";

const SCOPE = "https://www.googleapis.com/auth/devstorage.read_write";
/** How long a token is asked to be good for, in seconds; more than an hour is refused. */
const TOKEN_SECONDS = 3600;

export class AccessTokenSource {
  readonly #config: GcsStorageConfig;
  readonly #tokens: RenewedValue<string>;
  readonly #closed = new AbortController();
  /** The newest token, and whether the store refused it. */
  #given: string | undefined;
  #isRefused = false;

  constructor(config: GcsStorageConfig) {
    this.#config = config;
    this.#tokens = new RenewedValue(async () => {
      const token = await this.#fetch();
      this.#given = token.value;
      this.#isRefused = false;
      return token;
    });
  }

  /** A token that is good for some minutes. @throws RequestFailure when none can be had; the signal's reason */
  async token(signal?: AbortSignal): Promise<string> {
    return await unlessAborted(this.#tokens.get(), signal);
  }

  /** The store refused this token: the next request fetches another. False when there is no other. */
  renew(refused: string): boolean {
    // Of many requests that were refused at once the first one counts: the others wait for the token that it brings.
    if (refused === this.#given && !this.#isRefused) {
      this.#isRefused = true;
      this.#tokens.forget();
    }
    return this.#config.credentials.type !== "token";
  }

  /** Ends what is still asked for. */
  close(): void {
    this.#closed.abort(new WalferryError("Service", "the store was closed"));
  }

  async #fetch(): Promise<EndingValue<string>> {
    const { credentials, network } = this.#config;
    const timeoutMs = network.ioTimeoutMs;
    const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(timeoutMs)]);
    switch (credentials.type) {
      case "token":
        return { value: credentials.token, endMs: Infinity };
      case "service":
        return await ofServiceAccount(credentials.keyFile, this.#config.tls, signal);
      case "auto":
        return await ofMachine(credentials.metadataUrl, timeoutMs, signal);
    }
  }
}

/** All who ask share one fetch: an abort ends the waiting, not the fetch. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** RFC 7523: a signed assertion is exchanged for a token. The key file is read anew each time, so that it can be replaced. */
async function ofServiceAccount(keyFile: string, tls: TlsConfig, signal: AbortSignal): Promise<EndingValue<string>> {
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
  return await ask("the token server", () => askForToken(tokenUrl, body, tls, signal));
}

/** The service account of the machine, from its metadata server. */
async function ofMachine(metadataUrl: string, timeoutMs: number, signal: AbortSignal): Promise<EndingValue<string>> {
  const url = `${metadataUrl}/computeMetadata/v1/instance/service-accounts/default/token`;
  const request = { headers: { "Metadata-Flavor": "Google" }, timeoutMs, signal };
  return await ask("the machine's metadata server", () => askMetadata(url, request));
}

async function ask(
  what: string,
  request: () => Promise<{ readonly status: number; readonly text: string }>,
): Promise<EndingValue<string>> {
  let status: number;
  let text: string;
  try {
    ({ status, text } = await request());
  } catch (error) {
    throw connectionFailure(`${what} cannot be asked for a token`, error) ??
      refused(`${what} cannot be asked for a token`, (error as Error).message, "HostConnect");
  }
  const answer = parsed(text);
  if (status < 200 || status >= 300) {
    const said = [answer.error, answer.error_description].filter((part) => typeof part === "string").join(": ");
    throw new RequestFailure(
      isTransientStatus(status) ? "Service" : "Access",
      `${what} gave no token: HTTP ${status}${said === "" ? "" : ` ${withoutSecrets(said).slice(0, 200)}`}`,
      {
        transient: isTransientStatus(status),
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
