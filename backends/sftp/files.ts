/** Single operations of SFTP, and transfers with many requests on their way. */
import { WalferryError } from "../../src/errors.ts";
import type { ByteStream } from "../../src/stream/byte_stream.ts";
import { Flight, pieces } from "./flight.ts";
import { attributeFields, type FileAttributes, OPEN, PACKET, STATUS } from "./packets.ts";
import { type SftpSession, SftpStatusError } from "./session.ts";

/** Content of one request: OpenSSH takes 255 KiB, every server 32 KiB. */
const LARGE_BYTES = 255 * 1024;
const SMALL_BYTES = 32 * 1024;
/** Bytes on their way at most; hides 30 ms at 60 MB/s. */
const WINDOW_BYTES = 2 * 1024 * 1024;

/** An opened file or directory. */
export type Handle = Uint8Array;

/** One name in a directory. */
export interface NamedAttributes {
  readonly name: string;
  readonly attributes: FileAttributes;
}

function requestBytes(session: SftpSession): number {
  return session.offers("posix-rename@openssh.com") ? LARGE_BYTES : SMALL_BYTES;
}

/** True for an error that says that a name is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof SftpStatusError && error.status === STATUS.noSuchFile;
}

/** True for a directory; a link to one is none. */
export function isDirectory({ mode }: FileAttributes): boolean {
  return (mode & 0o170000) === 0o040000;
}

/** Opens a file. @param flags of `OPEN` */
export async function openFile(session: SftpSession, path: string, flags: number, mode?: number): Promise<Handle> {
  const fields = [{ text: path }, { u32: flags }, ...attributeFields({ mode })];
  return (await session.request(PACKET.open, fields, PACKET.handle)).bytes();
}

/** Opens a file for reading; `undefined` when it is not there. */
export async function openIfThere(session: SftpSession, path: string): Promise<Handle | undefined> {
  try {
    return await openFile(session, path, OPEN.read);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export async function closeHandle(session: SftpSession, handle: Handle): Promise<void> {
  await session.request(PACKET.close, [{ bytes: handle }], PACKET.status);
}

/** Closes what is of no more use; the connection may be gone, and the handle with it. */
export async function abandonHandle(session: SftpSession, handle: Handle): Promise<void> {
  await closeHandle(session, handle).catch(() => undefined);
}

/** What stands under a name (links are not followed); `undefined` when it is not there. */
export async function attributesOf(session: SftpSession, path: string): Promise<FileAttributes | undefined> {
  try {
    return (await session.request(PACKET.lstat, [{ text: path }], PACKET.attrs)).attributes();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export async function handleAttributes(session: SftpSession, handle: Handle): Promise<FileAttributes> {
  return (await session.request(PACKET.fstat, [{ bytes: handle }], PACKET.attrs)).attributes();
}

export async function setModifiedTime(session: SftpSession, handle: Handle, modifiedTime: number): Promise<void> {
  await session.request(PACKET.fsetstat, [{ bytes: handle }, ...attributeFields({ modifiedTime })], PACKET.status);
}

/** Makes what was written durable, where the server can. */
export async function syncHandle(session: SftpSession, handle: Handle): Promise<void> {
  if (!session.offers("fsync@openssh.com")) return;
  await session.request(PACKET.extended, [{ text: "fsync@openssh.com" }, { bytes: handle }], PACKET.status);
}

/** Gives a file another name, in place of what has it, at one stroke where the server can. */
export async function replaceFile(session: SftpSession, from: string, to: string): Promise<void> {
  if (session.offers("posix-rename@openssh.com")) {
    const fields = [{ text: "posix-rename@openssh.com" }, { text: from }, { text: to }];
    await session.request(PACKET.extended, fields, PACKET.status);
    return;
  }
  const rename = () => session.request(PACKET.rename, [{ text: from }, { text: to }], PACKET.status);
  try {
    await rename();
  } catch (error) {
    // Version 3 refuses a name that is taken. Between the two the name is not there: the best that such a server can do.
    if (!(error instanceof SftpStatusError) || await attributesOf(session, to) === undefined) throw error;
    await removeFile(session, to);
    await rename();
  }
}

/** Removes a file or link. Absent is no error. */
export async function removeFile(session: SftpSession, path: string): Promise<void> {
  try {
    await session.request(PACKET.remove, [{ text: path }], PACKET.status);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

export async function removeDirectory(session: SftpSession, path: string): Promise<void> {
  try {
    await session.request(PACKET.rmdir, [{ text: path }], PACKET.status);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Makes one directory. @returns false when it is there already */
export async function makeDirectory(session: SftpSession, path: string, mode: number): Promise<boolean> {
  try {
    await session.request(PACKET.mkdir, [{ text: path }, ...attributeFields({ mode })], PACKET.status);
    return true;
  } catch (error) {
    if (isMissing(error) || !(error instanceof SftpStatusError)) throw error;
    const found = await attributesOf(session, path);
    if (found === undefined || (found.mode & 0o170000) === 0o100000) throw error;
    return false;
  }
}

/** Text of a link; `undefined` when it is not there. */
export async function linkDestination(session: SftpSession, path: string): Promise<string | undefined> {
  try {
    const answer = await session.request(PACKET.readlink, [{ text: path }], PACKET.name);
    answer.u32();
    return answer.text();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Opens a directory for {@link readPage}; `undefined` when it is not there. */
export async function openDirectory(session: SftpSession, path: string): Promise<Handle | undefined> {
  try {
    return (await session.request(PACKET.opendir, [{ text: path }], PACKET.handle)).bytes();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The next names in a directory as the server gives them, a hundred or so at a time; `undefined` behind the last. */
export async function readPage(session: SftpSession, handle: Handle): Promise<NamedAttributes[] | undefined> {
  try {
    const answer = await session.request(PACKET.readdir, [{ bytes: handle }], PACKET.name);
    const page: NamedAttributes[] = [];
    for (let left = answer.u32(); left > 0; left--) {
      const name = answer.text();
      answer.text();
      const attributes = answer.attributes();
      if (name !== "." && name !== "..") page.push({ name, attributes });
    }
    return page;
  } catch (error) {
    if (error instanceof SftpStatusError && error.status === STATUS.endOfFile) return undefined;
    throw error;
  }
}

/** All names in a directory; none when it is not there. */
export async function* readDirectory(session: SftpSession, path: string): AsyncGenerator<NamedAttributes> {
  const handle = await openDirectory(session, path);
  if (handle === undefined) return;
  try {
    for (let page = await readPage(session, handle); page !== undefined; page = await readPage(session, handle)) {
      yield* page;
    }
  } finally {
    await abandonHandle(session, handle);
  }
}

/** Writes a stream from the beginning of a file. @returns bytes written */
export async function writeStream(
  session: SftpSession,
  handle: Handle,
  source: ByteStream,
  beforeChunk: (totalBytes: number) => void,
): Promise<number> {
  const flight = new Flight(WINDOW_BYTES);
  let offset = 0;
  try {
    for await (const piece of pieces(source, requestBytes(session), beforeChunk)) {
      await flight.room(piece.length);
      flight.add(
        piece.length,
        session.request(PACKET.write, [{ bytes: handle }, { u64: offset }], PACKET.status, piece),
      );
      offset += piece.length;
    }
  } finally {
    // The file is closed or removed behind this: nothing may come after that.
    await flight.settled();
  }
  await flight.finished();
  return offset;
}

/**
 * Bytes `[offset, end)` of a file, in order, with many requests on their way.
 * @throws WalferryError `FileRead` when the file ends before `end`
 */
export async function* readRange(
  session: SftpSession,
  handle: Handle,
  offset: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  const pieceBytes = requestBytes(session);
  const flight: Array<Promise<Uint8Array>> = [];
  let asked = offset;
  try {
    for (let given = offset; given < end;) {
      while (asked < end && flight.length * pieceBytes < WINDOW_BYTES) {
        const piece = readPiece(session, handle, asked, Math.min(pieceBytes, end - asked));
        // Heard when its turn comes.
        piece.catch(() => undefined);
        flight.push(piece);
        asked += pieceBytes;
      }
      const bytes = await flight.shift()!;
      given += bytes.length;
      yield bytes;
    }
  } finally {
    // The handle is closed behind this: nothing may be asked of it any more.
    await Promise.allSettled(flight);
  }
}

/** One piece whole: a server may give less than it was asked for. */
async function readPiece(session: SftpSession, handle: Handle, offset: number, length: number): Promise<Uint8Array> {
  const read = async (at: number, count: number) => {
    try {
      const fields = [{ bytes: handle }, { u64: at }, { u32: count }];
      return (await session.request(PACKET.read, fields, PACKET.data)).bytes();
    } catch (error) {
      if (!(error instanceof SftpStatusError) || error.status !== STATUS.endOfFile) throw error;
      throw new WalferryError(
        "FileRead",
        `the file ended at byte ${at}, before the size that it had when it was opened`,
      );
    }
  };
  const first = await read(offset, length);
  if (first.length === length) return first;
  const whole = new Uint8Array(length);
  whole.set(first);
  for (let filled = first.length; filled < length;) {
    const more = await read(offset + filled, length - filled);
    if (more.length === 0) throw new WalferryError("FileRead", `the server gave no bytes at ${offset + filled}`);
    whole.set(more, filled);
    filled += more.length;
  }
  return whole;
}

export { OPEN };
