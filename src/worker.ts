/** Entry of every worker thread: loads the module of the job it is started for and runs its requests. */
import { serializeError, WalferryError } from "./errors.ts";
import { contentPassed, letGo } from "./process/garbage.ts";
import type { FromWorker, JobStart, ToWorker } from "./process/worker_pool.ts";

/** Modules by job name; each exports `start` ({@link JobStart}). */
const JOBS: Readonly<Record<string, () => Promise<{ start: unknown }>>> = {
  "backup-copy": () => import("./backup/copy_job.ts"),
  "restore-write": () => import("./restore/write_job.ts"),
  "verify-read": () => import("./verify/object_job.ts"),
  "wal-get": () => import("./archive/get_job.ts"),
  "wal-pay": () => import("./archive/pay_job.ts"),
  "wal-push": () => import("./archive/push_job.ts"),
  "self-test": () => import("./commands/self_test_job.ts"),
};

/** Progress messages are gathered for this long, so that a small chunk does not cost a message. */
const ADVANCE_EVERY_MS = 100;

const scope = globalThis as unknown as {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
};

/** What a small file leaves behind in a worker that is done with it, as objects. Bytes. */
const FILE_BYTES = 3000;

let run: Promise<Awaited<ReturnType<JobStart<unknown, unknown, unknown>>>> | undefined;
let pendingBytes = 0;
let lastAdvance = 0;

/** The bytes that the message which goes out now tells of. */
function takePending(): number {
  const bytes = pendingBytes;
  pendingBytes = 0;
  lastAdvance = performance.now();
  return bytes;
}

function advance(bytes: number): void {
  pendingBytes += bytes;
  contentPassed(bytes);
  // Once for a small file. A large one calls more often, and leaves less behind: what that asks for too much is nothing beside its content.
  letGo(FILE_BYTES);
  if (performance.now() - lastAdvance >= ADVANCE_EVERY_MS) {
    scope.postMessage({ kind: "advance", bytes: takePending() });
  }
}

async function load(job: string, setup: unknown): Promise<Awaited<ReturnType<JobStart<unknown, unknown, unknown>>>> {
  const open = JOBS[job];
  if (open === undefined) throw new WalferryError("Assert", `there is no job '${job}'`);
  const module = await open();
  return await (module.start as JobStart<unknown, unknown, unknown>)(setup);
}

async function answer(id: number, request: unknown): Promise<void> {
  try {
    if (run === undefined) throw new WalferryError("Assert", "a worker got a request before its job");
    const result = await (await run)(request, advance);
    scope.postMessage({ kind: "done", id, result, bytes: takePending() });
  } catch (error) {
    scope.postMessage({ kind: "failed", id, error: serializeError(error), bytes: takePending() });
  }
}

scope.onmessage = ({ data }) => {
  if (data.kind === "run") {
    answer(data.id, data.request);
    return;
  }
  run = load(data.job, data.setup);
  // A failure to start is reported by the first request; without this it would also count as unhandled.
  run.catch(() => undefined);
};
