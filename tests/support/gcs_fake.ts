/**
 * A stand-in for Google Cloud Storage, because no emulator behaves as it does: tokens by signed assertions, preconditions, checksums,
 * resumable uploads that may store less than was sent, batches, paging by bytes. It is judged by other people's clients in
 * tests/conformance/gcs_fake_test.ts. Trouble comes from the proxy in front of it (fault_proxy.ts).
 */
import { createHash } from "node:crypto";
import { Crc32c } from "../../src/stream/crc32c.ts";
import type { GcsStorageConfig } from "../../backends/config.ts";
import { compareBytes } from "../../src/format/json.ts";
import type { Certificates } from "./certificates.ts";
import { freePorts } from "./free_port.ts";
import {
  media,
  type Metadata,
  multipartOf,
  type Place,
  precondition,
  refusal,
  resourceOf,
  type StoredObject,
  withChecksum,
} from "./gcs_fake_objects.ts";

interface UploadSession {
  readonly bucket: string;
  readonly name: string;
  readonly metadata: Metadata;
  readonly query: URLSearchParams;
  bytes: Uint8Array;
  finished?: Response;
}

const EMAIL = "walferry@test.iam.gserviceaccount.com";
const UNIT = 256 * 1024;

export class GcsFake implements AsyncDisposable {
  readonly port: number;
  readonly tls: Certificates | undefined;
  /** How many seconds a token is good for. */
  tokenSeconds = 3600;
  /** Requests need no token. */
  anonymous = false;
  /** Bytes that a chunk of a resumable upload stores at most, a multiple of 256 KiB; less than was sent is allowed to the real one, too. */
  chunkBytesMax = Infinity;
  /** Every listed page is followed by an empty one that has a next page. */
  emptyPages = false;
  /** The account may read and nothing else. */
  readOnly = false;
  /** So many objects more are damaged on their way to the store. */
  damages = 0;
  /** So many answers more to writes say that other content was stored. */
  wrongAnswers = 0;
  /** How many tokens were given. */
  tokensGiven = 0;
  /** Content of buckets by name. */
  readonly buckets = new Map<string, Map<string, StoredObject>>();
  readonly #tokens = new Map<string, number>();
  readonly #uploads = new Map<string, UploadSession>();
  readonly #key: CryptoKeyPair;
  #generation = Date.now() * 1000;
  #server: Deno.HttpServer | undefined;
  #tokenServer: Deno.HttpServer | undefined;

  private constructor(port: number, tls: Certificates | undefined, key: CryptoKeyPair) {
    this.port = port;
    this.tls = tls;
    this.#key = key;
  }

  static async start(tls?: Certificates): Promise<GcsFake> {
    const key = await crypto.subtle.generateKey(
      { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
      true,
      ["sign", "verify"],
    );
    const fake = new GcsFake(freePorts(2), tls, key);
    const options = { hostname: "127.0.0.1", port: fake.port, onListen: () => undefined };
    const handler = (request: Request) => fake.#serve(request);
    // Tokens come from another host than objects, and with the system's authorities: here over plain HTTP.
    fake.#tokenServer = Deno.serve({ ...options, port: fake.port + 1 }, handler);
    fake.#server = tls === undefined ? Deno.serve(options, handler) : Deno.serve({
      ...options,
      cert: await Deno.readTextFile(tls.certFile),
      key: await Deno.readTextFile(tls.keyFile),
    }, handler);
    return fake;
  }

  get endpoint(): string {
    return this.tls === undefined ? `http://127.0.0.1:${this.port}` : `https://localhost:${this.port}`;
  }

  /** Makes a bucket with a name that is free and gives the name. */
  makeBucket(): string {
    const name = `b${crypto.randomUUID().slice(0, 18)}`;
    this.buckets.set(name, new Map());
    return name;
  }

  /** The key file of the service account that may do everything. */
  async keyFileText(tokenUrl = `http://127.0.0.1:${this.port + 1}/token`): Promise<string> {
    const der = new Uint8Array(await crypto.subtle.exportKey("pkcs8", this.#key.privateKey));
    const lines = der.toBase64().match(/.{1,64}/g)!.join("\n");
    return JSON.stringify({
      type: "service_account",
      project_id: "test",
      private_key_id: "1",
      private_key: `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`,
      client_email: EMAIL,
      token_uri: tokenUrl,
    });
  }

  /** Configuration of a repository on it. */
  config(bucket: string, keyFile: string, more: Partial<GcsStorageConfig> = {}): GcsStorageConfig {
    return {
      type: "gcs",
      path: "/repo",
      bucket,
      endpoint: this.endpoint,
      credentials: { type: "service", keyFile },
      tls: { verify: true, caFile: this.tls?.caFile },
      tags: new Map(),
      uploadChunkBytes: 4 * 1024 * 1024,
      // At once, so that it meets every trouble.
      directFromBytes: 0,
      network: { ioTimeoutMs: 20_000, retryMs: 20_000 },
      ...more,
    };
  }

  /** No token that was given is good any more. */
  revokeTokens(): void {
    this.#tokens.clear();
  }

  /** A token as the token server gives it. */
  giveToken(): { access_token: string; expires_in: number; token_type: string } {
    this.tokensGiven++;
    const token = `ya29.${crypto.randomUUID()}`;
    this.#tokens.set(token, Date.now() + this.tokenSeconds * 1000);
    return { access_token: token, expires_in: this.tokenSeconds, token_type: "Bearer" };
  }

  async #serve(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const { pathname: path } = url;
    if (path === "/token") return await this.#token(request);
    if (path === "/computeMetadata/v1/instance/service-accounts/default/token") {
      return request.headers.get("metadata-flavor") === "Google"
        ? Response.json(this.giveToken())
        : new Response("Missing Metadata-Flavor:Google header.", { status: 403 });
    }
    const token = request.headers.get("authorization")?.replace(/^Bearer /, "") ?? "";
    if (!this.anonymous && !((this.#tokens.get(token) ?? 0) > Date.now())) {
      await request.body?.cancel();
      const response = refusal(401, "authError", "Invalid Credentials");
      response.headers.set("www-authenticate", "Bearer");
      return response;
    }
    if (this.readOnly && request.method !== "GET") {
      await request.body?.cancel();
      const message = `${EMAIL} does not have storage.objects.create access to the Google Cloud Storage object.`;
      return refusal(403, "forbidden", `${message} Permission 'storage.objects.create' denied on resource.`);
    }
    if (path === "/batch/storage/v1") return await this.#batch(request);
    return await this.#api(request.method, url, request.headers, new Uint8Array(await request.arrayBuffer()));
  }

  async #token(request: Request): Promise<Response> {
    const form = new URLSearchParams(await request.text());
    const [head, claims, signature] = (form.get("assertion") ?? "").split(".");
    const refuse = (description: string) =>
      Response.json({ error: "invalid_grant", error_description: description }, { status: 400 });
    if (head === undefined || claims === undefined || signature === undefined) return refuse("no assertion");
    const decode = (text: string) => Uint8Array.fromBase64(text, { alphabet: "base64url" });
    const good = await crypto.subtle.verify(
      "RSASSA-PKCS1-v1_5",
      this.#key.publicKey,
      decode(signature),
      new TextEncoder().encode(`${head}.${claims}`),
    );
    if (!good) return refuse("Invalid JWT Signature.");
    const { iss, aud, iat, exp } = JSON.parse(new TextDecoder().decode(decode(claims)));
    const now = Date.now() / 1000;
    if (iss !== EMAIL) return refuse("Invalid issuer");
    if (!String(aud).endsWith("/token")) return refuse("Invalid JWT: Failed audience check.");
    if (exp - iat > 3600 || exp < now || iat > now + 300) {
      return refuse("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.");
    }
    return Response.json(this.giveToken());
  }

  async #batch(request: Request): Promise<Response> {
    const boundary = /boundary="?([^";]+)/.exec(request.headers.get("content-type") ?? "")?.[1];
    const parts = (await request.text()).split(`--${boundary}`).slice(1, -1);
    if (parts.length > 100) {
      return refusal(400, "badRequest", "The batch request must not contain more than 100 calls.");
    }
    let body = "";
    for (const part of parts) {
      const [, method, path] = /\r\n\r\n([A-Z]+) (\S+) HTTP/.exec(part)!;
      const id = /content-id: <([^>]+)>/i.exec(part)?.[1];
      const answer = await this.#api(method!, new URL(path!, request.url), new Headers(), new Uint8Array(0));
      body +=
        `--batch_x\r\nContent-Type: application/http\r\nContent-ID: <response-${id}>\r\n\r\nHTTP/1.1 ${answer.status} x\r\n\r\n${await answer
          .text()}\r\n`;
    }
    return new Response(`${body}--batch_x--\r\n`, { headers: { "content-type": "multipart/mixed; boundary=batch_x" } });
  }

  async #api(method: string, url: URL, headers: Headers, body: Uint8Array): Promise<Response> {
    const upload = /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/.exec(url.pathname);
    if (upload !== null) return this.#upload(method, decodeURIComponent(upload[1]!), url, headers, body);
    const match = /^(?:\/download)?\/storage\/v1\/b(?:\/([^/]+)(?:\/o(?:\/([^/]+))?)?)?$/.exec(url.pathname);
    if (match === null) return refusal(404, "notFound", "Not Found");
    const [, bucketPart, objectPart] = match;
    if (bucketPart === undefined) return this.#makeNamedBucket(body);
    const place = { endpoint: this.endpoint, bucket: decodeURIComponent(bucketPart) };
    if (!this.buckets.has(place.bucket)) return refusal(404, "notFound", "The specified bucket does not exist.");
    if (objectPart !== undefined) return this.#object(method, place, decodeURIComponent(objectPart), url, headers);
    if (url.pathname.endsWith("/o")) return this.#list(place, url);
    return await Promise.resolve(Response.json({ kind: "storage#bucket", name: decodeURIComponent(bucketPart) }));
  }

  #makeNamedBucket(body: Uint8Array): Response {
    const { name } = JSON.parse(new TextDecoder().decode(body)) as { name: string };
    if (this.buckets.has(name)) return refusal(409, "conflict", "You already own this bucket.");
    this.buckets.set(name, new Map());
    return Response.json({ kind: "storage#bucket", name });
  }

  #object(method: string, place: Place, name: string, url: URL, headers: Headers): Response {
    const bucket = this.buckets.get(place.bucket)!;
    const found = bucket.get(name);
    const asked = url.searchParams.get("generation");
    if (found === undefined || (asked !== null && asked !== String(found.generation))) {
      const message = `No such object: ${place.bucket}/${name}`;
      // Downloads are refused in plain text.
      return url.searchParams.get("alt") === "media"
        ? new Response(message, { status: 404 })
        : refusal(404, "notFound", message);
    }
    const wrong = precondition(url.searchParams, found.generation);
    if (wrong !== undefined) return wrong;
    if (method === "DELETE") {
      bucket.delete(name);
      return new Response(null, { status: 204 });
    }
    return url.searchParams.get("alt") === "media"
      ? media(found, headers)
      : Response.json(resourceOf(place, name, found));
  }

  #list(place: Place, url: URL): Response {
    const bucket = this.buckets.get(place.bucket)!;
    const query = url.searchParams;
    const prefix = query.get("prefix") ?? "";
    const delimiter = query.get("delimiter");
    const most = Math.min(1000, Number(query.get("maxResults") ?? 1000));
    const [after = "", isEmptyPage] = (query.get("pageToken") ?? "").split("\n").map(decodeURIComponent);
    if (this.emptyPages && isEmptyPage !== undefined) {
      return Response.json({ kind: "storage#objects", nextPageToken: encodeURIComponent(after) });
    }
    const names = [...bucket.keys()].filter((name) => name.startsWith(prefix)).sort(compareBytes);
    const items: unknown[] = [];
    const prefixes = new Set<string>();
    let last = "";
    for (const name of names) {
      const cut = delimiter === null ? -1 : name.indexOf(delimiter, prefix.length);
      const group = cut === -1 ? undefined : name.slice(0, cut + delimiter!.length);
      const position = group ?? name;
      if (after !== "" && compareBytes(position, after) <= 0) continue;
      if (items.length + prefixes.size >= most && !(group !== undefined && prefixes.has(group))) {
        return Response.json({
          kind: "storage#objects",
          items,
          prefixes: [...prefixes],
          nextPageToken: `${encodeURIComponent(last)}${this.emptyPages ? "\nempty" : ""}`,
        });
      }
      last = position;
      if (group === undefined) items.push(resourceOf(place, name, bucket.get(name)!));
      else prefixes.add(group);
    }
    return Response.json({ kind: "storage#objects", items, prefixes: [...prefixes] });
  }

  #upload(method: string, bucketName: string, url: URL, headers: Headers, body: Uint8Array): Response {
    const query = url.searchParams;
    const sessionId = query.get("upload_id");
    if (sessionId !== null) return this.#chunk(method, sessionId, headers, body);
    if (!this.buckets.has(bucketName)) return refusal(404, "notFound", "The specified bucket does not exist.");
    switch (query.get("uploadType")) {
      case "media":
        return this.#store(bucketName, query.get("name")!, body, withChecksum({}, headers), query);
      case "multipart": {
        const { metadata, content } = multipartOf(headers.get("content-type") ?? "", body);
        return this.#store(
          bucketName,
          metadata.name ?? query.get("name")!,
          content,
          withChecksum(metadata, headers),
          query,
        );
      }
      default: {
        const metadata = (body.length === 0 ? {} : JSON.parse(new TextDecoder().decode(body))) as Metadata;
        const name = metadata.name ?? query.get("name")!;
        const wrong = precondition(query, this.buckets.get(bucketName)!.get(name)?.generation);
        if (wrong !== undefined) return wrong;
        const id = crypto.randomUUID();
        this.#uploads.set(id, { bucket: bucketName, name, metadata, query, bytes: new Uint8Array(0) });
        const location = new URL(url);
        location.searchParams.set("upload_id", id);
        location.host = headers.get("host") ?? location.host;
        return new Response(null, { headers: { location: location.href, "x-guploader-uploadid": id } });
      }
    }
  }

  /** One chunk of a resumable upload, or the question how far it is. */
  #chunk(method: string, id: string, headers: Headers, body: Uint8Array): Response {
    const session = this.#uploads.get(id);
    if (session === undefined) return refusal(404, "notFound", "no such upload session");
    if (method === "DELETE") {
      this.#uploads.delete(id);
      return new Response(null, { status: 499 });
    }
    if (session.finished !== undefined) return session.finished.clone();
    const range = headers.get("content-range");
    // Without one the content is whole.
    const [, from, end, total] =
      /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(range ?? `bytes 0-${body.length - 1}/${body.length}`) ?? [];
    const isLast = total !== undefined && total !== "*";
    if (from !== undefined) {
      if (Number(end) - Number(from) + 1 !== body.length) {
        return refusal(400, "badRequest", "Content-Range and content differ");
      }
      if (!isLast && body.length % UNIT !== 0) return refusal(400, "badRequest", "chunks are multiples of 256 KiB");
      if (Number(from) > session.bytes.length) return refusal(503, "backendError", "a gap before this chunk");
      const fresh = body.subarray(session.bytes.length - Number(from));
      const taken = fresh.subarray(0, this.chunkBytesMax);
      const joined = new Uint8Array(session.bytes.length + taken.length);
      joined.set(session.bytes);
      joined.set(taken, session.bytes.length);
      session.bytes = joined;
    }
    if (isLast && session.bytes.length === Number(total)) {
      const { bucket, name, bytes, query } = session;
      const answer = this.#store(bucket, name, bytes, withChecksum(session.metadata, headers), query);
      if (answer.ok) session.finished = answer.clone();
      return answer;
    }
    const stored = session.bytes.length;
    const progress: Record<string, string> = stored === 0 ? {} : { range: `bytes=0-${stored - 1}` };
    // Go's client cannot take 308 for what it means here and asks for another way to say it.
    return headers.get("x-guploader-no-308") === "yes"
      ? new Response(null, { status: 200, headers: { ...progress, "x-http-status-code-override": "308" } })
      : new Response(null, { status: 308, headers: progress });
  }

  #store(bucketName: string, name: string, sent: Uint8Array, metadata: Metadata, query: URLSearchParams): Response {
    const isDamaged = this.damages > 0 && this.damages-- > 0;
    const bytes = isDamaged ? sent.map((byte, index) => index === 0 ? byte ^ 1 : byte) : sent;
    const bucket = this.buckets.get(bucketName)!;
    const wrong = precondition(query, bucket.get(name)?.generation);
    if (wrong !== undefined) return wrong;
    const crc32c = new Crc32c().update(bytes).base64();
    const md5Hash = createHash("md5").update(bytes).digest("base64");
    if ((metadata.crc32c ?? crc32c) !== crc32c) return refusal(400, "invalid", "Provided CRC32C does not match.");
    if ((metadata.md5Hash ?? md5Hash) !== md5Hash) return refusal(400, "invalid", "Provided MD5 hash does not match.");
    const stored: StoredObject = {
      bytes,
      generation: ++this.#generation,
      updated: new Date().toISOString(),
      crc32c,
      md5Hash,
      contentType: metadata.contentType ?? "application/octet-stream",
      contentEncoding: metadata.contentEncoding,
      metadata: metadata.metadata,
    };
    bucket.set(name, stored);
    const resource = resourceOf({ endpoint: this.endpoint, bucket: bucketName }, name, stored);
    const isWrong = this.wrongAnswers > 0 && this.wrongAnswers-- > 0;
    return Response.json(isWrong ? { ...resource, crc32c: "AAAAAA==" } : resource);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#server?.shutdown(), this.#tokenServer?.shutdown()]);
    this.#server = undefined;
    this.#tokenServer = undefined;
  }
}
