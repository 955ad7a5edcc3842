/**
 * Histories of pushes, gets, outages, hangs, lost answers, kills and damage, each made from its seed: no acknowledged segment is ever missing
 * from the quorum, no wrong byte is ever delivered, "absent" is never said of what was acknowledged, and every debt is paid once all stores
 * are back. `WALFERRY_SIMULATIONS` = how many; `WALFERRY_SIMULATION_SEED` = only this one.
 */
import { getWalFrom } from "../../src/archive/get.ts";
import { askForCandidates, RememberedCandidates } from "../../src/archive/get_candidates.ts";
import type { ArchiveGetOptions, ArchivePushOptions } from "../../src/archive/options.ts";
import { payDebt } from "../../src/archive/pay_job.ts";
import { checkChosen, pushFile } from "../../src/archive/push.ts";
import { Quorum } from "../../src/archive/quorum.ts";
import { askForStored, StoredSegments } from "../../src/archive/stored_segments.ts";
import { toWalferryError } from "../../src/errors.ts";
import { nextSegmentName, walDirectory } from "../../src/format/wal_name.ts";
import { readControlFile } from "../../src/postgres/control_file.ts";
import type { RepositoryConfig } from "../../src/repository/config.ts";
import { Repository } from "../../src/repository/repository.ts";
import { RepositorySet } from "../../src/repository/repository_set.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { BACKREST_VERSION } from "../../src/version.ts";
import { writeFile } from "../support/cluster_files.ts";
import { controlFileOf } from "../support/cluster_vectors.ts";
import { Chance, HurriedClock, type Temper, TroubledStore } from "./troubled_world.ts";

const STANZA = "main";
const SEGMENT_BYTES = 16 * 1024 * 1024;
const TEMPERS: readonly Temper[] = ["well", "well", "well", "refuses", "hangs", "loses answers", "moody"];

/** Thrown with the seed, so that the history can be played again. */
class Violation extends Error {}

async function play(seed: number, root: string): Promise<{ pushed: number; acknowledged: number; debts: number }> {
  const chance = new Chance(seed);
  const clock = new HurriedClock();
  const place = `${root}/${seed}`;
  const pgPath = `${place}/pg`;
  Deno.mkdirSync(`${pgPath}/pg_wal`, { recursive: true });
  writeFile(`${pgPath}/global/pg_control`, controlFileOf("15"));
  const control = readControlFile(pgPath);
  const count = 2 + chance.below(3);
  const quorum = 1 + chance.below(count);
  const stores = Array.from({ length: count }, () => new TroubledStore(chance, clock));
  const configs: RepositoryConfig[] = stores.map((_store, at) => ({
    key: at + 1,
    role: "all",
    storage: { type: "memory", path: `m${at + 1}` },
    cipher: { type: "none" },
    retention: { fullType: "count", archiveType: "full", keep: {} },
    hardlink: false,
    symlink: false,
  }));
  const pushOptions: ArchivePushOptions = {
    stanza: STANZA,
    walPath: "",
    // Without the cluster nobody compares sizes and headers: segments are a few bytes here.
    cluster: undefined,
    repositories: configs,
    compress: { type: "none" },
    headerCheck: false,
    modeCheck: false,
    timeoutMs: 60_000,
    lockPath: place,
    spoolPath: `${place}/spool`,
    quorum,
  };

  /** What a process holds in its memory, and how many of its steps are left until it is killed. */
  let stepsLeft = Infinity;
  const begin = () => {
    stepsLeft = Infinity;
    const repositories = stores.map((store, at) =>
      Repository.over(configs[at]!, store.open(`m${at + 1}`, () => stepsLeft < 0, () => stepsLeft--))
    );
    const set = RepositorySet.over(repositories);
    const memory = new StoredSegments(STANZA, clock);
    const remembered = new RememberedCandidates(STANZA, () => control, clock);
    return { set, memory, remembered, quorum: new Quorum(pushOptions, clock) };
  };
  let life = begin();
  for (const repository of life.set.repositories) {
    const entry = { id: 1, pgVersion: control.pgVersion, systemId: control.systemId };
    await repository.saveArchiveInfo(STANZA, { backrestVersion: BACKREST_VERSION, currentId: 1, history: [entry] });
  }

  const never = new AbortController().signal;
  const written = new Map<string, string>();
  const acknowledged = new Set<string>();
  let pushed = 0;
  let debts = 0;
  let name = "000000010000000000000001";

  /** Keys of repositories whose files hold a right copy. */
  const holders = (walName: string): number[] => {
    const checksum = written.get(walName)!;
    const path = `archive/${STANZA}/${control.pgVersion}-1/${walDirectory(walName)}/${walName}-${checksum}`;
    return stores.flatMap(({ files }, at) => {
      const file = files.get(path);
      return file !== undefined && sha1Hex(file.bytes) === checksum ? [at + 1] : [];
    });
  };
  const damaged = new Set<string>();
  const assertQuorum = async (walName: string) => {
    const held = holders(walName);
    const lost = configs.filter(({ key }) => damaged.has(`${key} ${walName}`)).length;
    if (held.length + lost < quorum) {
      throw new Violation(`${walName} is held by ${held.join() || "nobody"} of ${quorum}`);
    }
    for (const { key } of configs) {
      if (held.includes(key) || damaged.has(`${key} ${walName}`)) continue;
      if (!(await life.quorum.ledger.names(key)).includes(walName)) {
        throw new Violation(`repo${key} lacks ${walName} and nobody knows`);
      }
    }
  };

  const push = async () => {
    const path = `${pgPath}/pg_wal/${name}`;
    if (!written.has(name)) {
      const bytes = chance.bytes(64);
      using file = Deno.openSync(path, { write: true, createNew: true });
      file.writeSync(bytes);
      written.set(name, sha1Hex(Deno.readFileSync(path)));
    }
    pushed++;
    if (chance.is(0.15)) stepsLeft = chance.below(6);
    const context = {
      signal: never,
      clock,
      warn: () => {},
      find: chance.is(0.5) ? life.memory.find : askForStored(STANZA),
      memory: life.memory,
    };
    try {
      const chosen = life.quorum.chosen(chance.is(0.5));
      const repositories = life.set.repositories.filter(({ key }) => chosen.includes(key));
      const checked = await checkChosen(repositories, pushOptions, undefined, life.quorum, context);
      await pushFile(path, checked, pushOptions, life.quorum, context);
    } catch (error) {
      toWalferryError(error);
      if (stepsLeft < 0) life = begin();
      return;
    }
    if (stepsLeft < 0) life = begin();
    stepsLeft = Infinity;
    acknowledged.add(name);
    await assertQuorum(name);
    if (chance.is(0.5)) Deno.removeSync(path);
    name = nextSegmentName(name, SEGMENT_BYTES);
  };

  const get = async () => {
    const names = [...written.keys()];
    const wanted = chance.is(0.1) || names.length === 0
      ? "0000000100000000000000F0"
      : names[chance.below(names.length)]!;
    const destination = `${place}/got`;
    const options: ArchiveGetOptions = {
      stanza: STANZA,
      walName: wanted,
      destination,
      cluster: { key: 1, path: pgPath, port: 1, database: "postgres" },
      repositories: configs,
      timeoutMs: 60_000,
      lockPath: place,
      spoolPath: pushOptions.spoolPath,
    };
    const locate = chance.is(0.5) ? life.remembered.locate : askForCandidates(STANZA, control);
    let state: string;
    try {
      state = (await getWalFrom(life.set, options, { signal: never, clock, warn: () => {}, locate })).state;
    } catch (error) {
      toWalferryError(error);
      return;
    }
    if (state === "absent" && acknowledged.has(wanted)) throw new Violation(`${wanted} was said to be absent`);
    if (state === "found") {
      if (sha1Hex(Deno.readFileSync(destination)) !== written.get(wanted)) {
        throw new Violation(`wrong bytes for ${wanted}`);
      }
      Deno.removeSync(destination);
      for (const { key } of configs) if (holders(wanted).includes(key)) damaged.delete(`${key} ${wanted}`);
    }
  };

  /** Damages one copy of what others hold too. */
  const damage = () => {
    const candidates = [...acknowledged].filter((walName) => holders(walName).length > 1);
    if (candidates.length === 0) return;
    const walName = candidates[chance.below(candidates.length)]!;
    const key = holders(walName)[0]!;
    const { files } = stores[key - 1]!;
    const path = [...files.keys()].find((file) => file.includes(`/${walName}-`))!;
    const bytes = files.get(path)!.bytes.slice();
    bytes[chance.below(bytes.length)]! ^= 1 + chance.below(255);
    files.set(path, { bytes, modifiedTime: 0 });
    damaged.add(`${key} ${walName}`);
  };

  const heal = async () => {
    for (const { key } of configs) {
      for (const walName of await life.quorum.ledger.names(key)) {
        debts++;
        try {
          await payDebt(
            { key, walName, pgWalPath: `${pgPath}/pg_wal` },
            life.set,
            life.quorum.ledger,
            pushOptions,
            never,
          );
        } catch (error) {
          toWalferryError(error);
        }
        await assertQuorum(walName);
      }
    }
  };

  try {
    for (let event = 0; event < 30; event++) {
      const dice = chance.next();
      if (dice < 0.5) await push();
      else if (dice < 0.7) await get();
      else if (dice < 0.85) stores[chance.below(count)]!.temper = TEMPERS[chance.below(TEMPERS.length)]!;
      else if (dice < 0.9) damage();
      else if (dice < 0.95) clock.pass(chance.below(120_000));
      else await heal();
    }
    for (const store of stores) store.temper = "well";
    life = begin();
    clock.pass(600_000);
    await heal();
    for (const { key } of configs) {
      const left = (await life.quorum.ledger.names(key)).filter((walName) => holders(walName).length > 0);
      if (left.length > 0) throw new Violation(`repo${key} is still owed ${left.join()}`);
    }
    for (const walName of acknowledged) {
      const missing = configs.filter(({ key }) => !holders(walName).includes(key) && !damaged.has(`${key} ${walName}`));
      if (missing.length > 0) {
        throw new Violation(`${walName} is missing in ${missing.map(({ key }) => `repo${key}`).join()}`);
      }
    }
  } finally {
    Deno.removeSync(place, { recursive: true });
  }
  return { pushed, acknowledged: acknowledged.size, debts };
}

Deno.test("simulation: whatever happens to stores and processes, acknowledged WAL is where the quorum says", async () => {
  const only = Deno.env.get("WALFERRY_SIMULATION_SEED");
  const count = Number(Deno.env.get("WALFERRY_SIMULATIONS") ?? 1500);
  const root = Deno.makeTempDirSync({ dir: exists("/dev/shm") ? "/dev/shm" : undefined, prefix: "wft-simulation-" });
  const sums = { pushed: 0, acknowledged: 0, debts: 0 };
  try {
    const seeds = only === undefined ? Array.from({ length: count }, (_, at) => at + 1) : [Number(only)];
    for (const seed of seeds) {
      try {
        const result = await play(seed, root);
        for (const key of ["pushed", "acknowledged", "debts"] as const) sums[key] += result[key];
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
    // A simulation in which nothing happens proves nothing.
    if (
      only === undefined &&
      (sums.acknowledged < count || sums.debts < count / 4 || sums.acknowledged > sums.pushed * 0.95)
    ) {
      throw new Error(`too little happened: ${JSON.stringify(sums)}`);
    }
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
