/**
 * A real SFTP server whose answers are spoiled on their way, to be named as the subsystem of a server (sshd.ts): what is written counts, by its
 * word, only when the handle is closed, and that fails. So do servers that keep a file elsewhere (in a bucket, on NFS) and offer no fsync.
 */
const TYPE = { write: 6, close: 4, status: 101 } as const;

const child = new Deno.Command("/usr/lib/openssh/sftp-server", {
  args: ["-P", "fsync"],
  stdin: "piped",
  stdout: "piped",
}).spawn();

/** Whole packets, each with its length in front. */
async function* packets(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held = new Uint8Array(0);
  for await (const chunk of source) {
    const joined = new Uint8Array(held.length + chunk.length);
    joined.set(held);
    joined.set(chunk, held.length);
    held = joined;
    for (;;) {
      const length = held.length < 4 ? Infinity : 4 + new DataView(held.buffer, held.byteOffset).getUint32(0);
      if (held.length < length) break;
      yield held.slice(0, length);
      held = held.slice(length);
    }
  }
}

const idOf = (packet: Uint8Array) => new DataView(packet.buffer).getUint32(5);
const handleOf = (packet: Uint8Array) => {
  const length = new DataView(packet.buffer).getUint32(9);
  return packet.subarray(13, 13 + length).toHex();
};

const written = new Set<string>();
const failing = new Set<number>();

const upwards = (async () => {
  const writer = child.stdin.getWriter();
  for await (const packet of packets(Deno.stdin.readable)) {
    if (packet[4] === TYPE.write) written.add(handleOf(packet));
    if (packet[4] === TYPE.close && written.delete(handleOf(packet))) failing.add(idOf(packet));
    await writer.write(packet);
  }
  await writer.close();
})();
const writer = Deno.stdout.writable.getWriter();
for await (const packet of packets(child.stdout)) {
  // The status is the number behind the one of the request: 4 = failure.
  if (packet[4] === TYPE.status && failing.delete(idOf(packet))) new DataView(packet.buffer).setUint32(9, 4);
  await writer.write(packet);
}
await upwards;
