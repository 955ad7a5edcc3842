/** A shop's tables, and what is done to them between two backups: each kind of change to tables of its own, large and small. */
import { addOrders } from "./order_rows.ts";
import type { TestCluster } from "./postgres.ts";

/** Large enough to stand alone beside bundles. */
const MANY = 9000;
/** Small enough for a bundle, large enough for blocks. */
const FEW = 600;

/** Tables of each kind of change: one that stands alone, one of a bundle, and in a tablespace where that says more. */
export async function makeOrders(cluster: TestCluster): Promise<void> {
  for (const table of ["inserted", "updated", "vacuumed"]) {
    await addOrders(cluster, 1, MANY, `${table}_large`);
    await addOrders(cluster, 1, FEW, `${table}_small`);
  }
  await addOrders(cluster, 1, MANY, "truncated_large");
  await addOrders(cluster, 1, FEW, "truncated_small");
  await makeAnew(cluster, 0);
  await cluster.sql(`alter table truncated_small set tablespace ts1;
    alter table updated_small set tablespace ts1;
    alter table inserted_large add primary key (id);
    create index inserted_customer on inserted_large using hash (customer);
    create index inserted_words on inserted_large using gin (to_tsvector('simple', note));
    create index updated_customer on updated_small using hash (customer);
    create index updated_words on updated_small using gin (to_tsvector('simple', note));
    create index vacuumed_at on vacuumed_large (at);
    create unlogged table unlogged_large as select * from inserted_large limit 1000;
    create index unlogged_at on unlogged_large (at);
    create sequence numbers;
    select lo_from_bytea(0, decode(string_agg(md5(g::text), ''), 'hex')) from generate_series(1, 3000) g;`);
}

async function makeAnew(cluster: TestCluster, round: number): Promise<void> {
  await cluster.sql(`do $$ declare name text; begin
    for name in select relname from pg_class where relkind = 'r' and relname ~ '^dropped_' loop
      execute 'drop table ' || name;
    end loop; end $$`);
  await addOrders(cluster, 1, MANY / 2 + round, "dropped_large");
  await addOrders(cluster, 1, FEW - round, "dropped_small");
  await addOrders(cluster, 1, 20 * round, `dropped_${round}`);
}

/** What happens between two backups; `round` differs each time. */
export const ORDER_CHANGES = {
  "insert": async (cluster: TestCluster, round: number) => {
    await addOrders(cluster, MANY * round + 1, MANY * round + 500, "inserted_large");
    await addOrders(cluster, 1, 50, "inserted_small");
    await cluster.sql(`select lo_from_bytea(0, decode(repeat('${round}${round}', 9000), 'hex')), nextval('numbers')`);
  },
  "update in place": async (cluster: TestCluster, round: number) => {
    // Of the same length, spread over the pages.
    await cluster.sql(
      `update updated_large set amount = amount + ${round}, note = reverse(note) where id % 700 = ${round};
      update updated_small set note = reverse(note), customer = gen_random_uuid() where id % 40 = ${round};
      select lo_put(oid, 5000, decode(md5('${round}'), 'hex')) from pg_largeobject_metadata`,
    );
    await cluster.sql("vacuum updated_large");
  },
  "truncate": async (cluster: TestCluster, round: number) => {
    await cluster.sql("truncate truncated_small");
    if (round % 2 === 1) await cluster.sql("truncate truncated_large");
    await addOrders(cluster, 1, 30 * round, "truncated_small");
    await addOrders(cluster, 1, 1000 + round, "truncated_large");
    // Vacuum gives the end of a file back while its name stays.
    await cluster.sql(`delete from vacuumed_small where id > ${FEW} - ${20 * round}`);
    await cluster.sql("vacuum vacuumed_small");
  },
  "drop and create": makeAnew,
  "vacuum full": async (cluster: TestCluster, round: number) => {
    await cluster.sql(`delete from vacuumed_large where id % 50 = ${round};
      delete from vacuumed_small where id % 50 = ${round}`);
    await cluster.sql("vacuum full vacuumed_large");
    await cluster.sql("vacuum full vacuumed_small");
  },
} as const;

export type OrderChange = keyof typeof ORDER_CHANGES;
export const ORDER_CHANGE_NAMES = Object.keys(ORDER_CHANGES) as OrderChange[];
