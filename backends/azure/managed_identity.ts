/** Tokens of the machine's managed identity, from the metadata service of the instance. */
import { askMetadata } from "../metadata_request.ts";
import { RenewedValue } from "../renewed_value.ts";
import { connectionFailure, isTransientStatus, RequestFailure } from "../request_failure.ts";

const RESOURCE = "https://storage.azure.com/";
interface AccessToken {
  readonly token: string;
  readonly expiresOnTimestamp: number;
}

/** A credential in the shape that Microsoft's client takes. */
export class ManagedIdentity {
  readonly #metadataUrl: string;
  readonly #timeoutMs: number;
  readonly #tokens = new RenewedValue(async () => {
    const value = await this.#fetch();
    return { value, endMs: value.expiresOnTimestamp };
  });

  constructor(metadataUrl: string, timeoutMs: number) {
    this.#metadataUrl = metadataUrl;
    this.#timeoutMs = timeoutMs;
  }

  /** The client asks for the same token again and again. @throws RequestFailure when the machine has no identity */
  async getToken(): Promise<AccessToken> {
    return await this.#tokens.get();
  }

  async #fetch(): Promise<AccessToken> {
    const what = "the machine's metadata service cannot be asked for a token";
    const hint = "does this machine have a managed identity? Otherwise set repo-azure-key-type to shared or sas.";
    const query = new URLSearchParams({ "api-version": "2018-02-01", resource: RESOURCE });
    let status: number;
    let text: string;
    try {
      ({ status, text } = await askMetadata(`${this.#metadataUrl}/metadata/identity/oauth2/token?${query}`, {
        headers: { Metadata: "true" },
        timeoutMs: this.#timeoutMs,
      }));
    } catch (error) {
      throw connectionFailure(what, error) ??
        new RequestFailure("HostConnect", `${what}: ${(error as Error).message}`, {
          transient: false,
          hint,
          cause: error,
        });
    }
    if (status !== 200) {
      const transient = isTransientStatus(status);
      throw new RequestFailure(transient ? "Service" : "Access", `${what}: HTTP ${status}`, { transient, hint });
    }
    const { access_token: token, expires_on: expires } = parsed(text);
    if (typeof token !== "string" || !Number.isFinite(Number(expires))) {
      throw new RequestFailure("Protocol", `${what}: its answer holds no token`, { transient: false, hint });
    }
    return { token, expiresOnTimestamp: Number(expires) * 1000 };
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    // What is no JSON holds no token either; the text is not repeated, it may hold one in part.
    if (!(error instanceof SyntaxError)) throw error;
    return {};
  }
}
