/** Objects of the stand-in for GCS: what is kept of them, what is told of them, and how they come and go in requests. */
import { gunzipSync } from "node:zlib";

/** An object as it is kept. */
export interface StoredObject {
  readonly bytes: Uint8Array;
  readonly generation: number;
  readonly updated: string;
  readonly crc32c: string;
  readonly md5Hash: string;
  readonly contentType: string;
  readonly contentEncoding?: string;
  readonly metadata?: Record<string, string>;
}

/** What the addresses in an object's metadata begin with. */
export interface Place {
  readonly endpoint: string;
  readonly bucket: string;
}

/** What a client says of an object that it sends. */
export interface Metadata {
  readonly name?: string;
  readonly crc32c?: string;
  readonly md5Hash?: string;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly metadata?: Record<string, string>;
}

/** An answer that refuses, as the JSON API words it. */
export function refusal(code: number, reason: string, message: string): Response {
  return Response.json({ error: { code, message, errors: [{ domain: "global", reason, message }] } }, {
    status: code,
    headers: { "x-guploader-uploadid": `fake-${crypto.randomUUID().slice(0, 8)}` },
  });
}

/** The refusal when what the query demands of the object under the name does not hold. */
export function precondition(query: URLSearchParams, generation: number | undefined): Response | undefined {
  const match = query.get("ifGenerationMatch");
  if (match !== null && Number(match) !== (generation ?? 0)) {
    return refusal(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.");
  }
  return undefined;
}

/** Checksums stand in the metadata or in a header, which may come with the last bytes only. */
export function withChecksum(metadata: Metadata, headers: Headers): Metadata {
  const sent = headers.get("x-goog-hash") ?? "";
  const crc32c = /crc32c=([^,]+)/.exec(sent)?.[1];
  const md5Hash = /md5=([^,]+)/.exec(sent)?.[1];
  return { ...metadata, ...(crc32c && { crc32c }), ...(md5Hash && { md5Hash }) };
}

/** Everything that the API tells of an object. */
export function resourceOf(place: Place, name: string, object: StoredObject) {
  const { bytes, generation, updated, crc32c, md5Hash, contentType, contentEncoding, metadata } = object;
  return {
    kind: "storage#object",
    id: `${place.bucket}/${name}/${generation}`,
    bucket: place.bucket,
    selfLink: `${place.endpoint}/storage/v1/b/${place.bucket}/o/${encodeURIComponent(name)}`,
    mediaLink: `${place.endpoint}/download/storage/v1/b/${place.bucket}/o/${encodeURIComponent(name)}?alt=media`,
    name,
    size: String(bytes.length),
    generation: String(generation),
    metageneration: "1",
    timeCreated: updated,
    updated,
    crc32c,
    md5Hash,
    contentType,
    ...(contentEncoding === undefined ? {} : { contentEncoding }),
    storageClass: "STANDARD",
    etag: String(generation),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

/** The content of an object, or a range of it. */
export function media(
  { bytes, crc32c, md5Hash, generation, contentType, ...more }: StoredObject,
  request: Headers,
): Response {
  const encoding = more.contentEncoding;
  const headers: Record<string, string> = {
    // As it is: otherwise the server of the runtime packs what a client would take packed.
    "cache-control": "no-transform",
    "content-type": contentType,
    "x-goog-hash": `crc32c=${crc32c},md5=${md5Hash}`,
    "x-goog-generation": String(generation),
    "x-goog-stored-content-length": String(bytes.length),
  };
  // To who does not take gzip it is sent unpacked, whole, and of unknown length.
  if (encoding === "gzip" && !/gzip/.test(request.get("accept-encoding") ?? "")) {
    return new Response(new Blob([gunzipSync(bytes)]).stream(), {
      headers: { ...headers, "x-goog-stored-content-encoding": encoding },
    });
  }
  if (encoding !== undefined) headers["content-encoding"] = encoding;
  const [, from, to, suffix] = /^bytes=(?:(\d+)-(\d*)|-(\d+))$/.exec(request.get("range") ?? "") ?? [];
  if (from === undefined && suffix === undefined) return new Response(bytes.slice(), { headers });
  const start = suffix === undefined ? Number(from) : Math.max(0, bytes.length - Number(suffix));
  const end = to === undefined || to === "" ? bytes.length : Math.min(bytes.length, Number(to) + 1);
  if (start >= bytes.length) {
    return new Response("Requested range not satisfiable", {
      status: 416,
      headers: { "content-range": `bytes */${bytes.length}` },
    });
  }
  return new Response(bytes.slice(start, end), {
    status: 206,
    headers: { ...headers, "content-range": `bytes ${start}-${end - 1}/${bytes.length}` },
  });
}

/** The two parts of a `multipart/related` upload. */
export function multipartOf(contentType: string, body: Uint8Array): { metadata: Metadata; content: Uint8Array } {
  const boundary = /boundary="?([^";]+)/.exec(contentType)![1]!;
  // One character for each byte, so that positions in the text are positions in the content.
  const text = new TextDecoder("latin1").decode(body);
  const first = text.indexOf("\r\n\r\n") + 4;
  const firstEnd = text.indexOf(`\r\n--${boundary}`, first);
  const second = text.indexOf("\r\n\r\n", firstEnd) + 4;
  const secondEnd = text.lastIndexOf(`\r\n--${boundary}--`);
  return {
    metadata: JSON.parse(new TextDecoder().decode(body.subarray(first, firstEnd))) as Metadata,
    content: body.slice(second, secondEnd),
  };
}
