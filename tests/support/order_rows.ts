/** Rows that compress as those of real tables do: text, numbers, times, identifiers, some of it random. */
import type { TestCluster } from "./postgres.ts";

/** So many of these rows make a gigabyte. */
export const ORDERS_PER_GIGABYTE = 3_400_000;
/** One statement inserts so many at most, so that no transaction is out of measure. */
const ROWS_AT_ONCE = 500_000;

/** Adds orders `first` to `last` to a table, which is made where it does not exist. */
export async function addOrders(cluster: TestCluster, first: number, last: number, table = "orders"): Promise<void> {
  await cluster.sql(
    `create table if not exists ${table} (id bigint, customer uuid, at timestamptz, amount numeric, note text, raw bytea)`,
  );
  for (let from = first; from <= last; from += ROWS_AT_ONCE) {
    await cluster.sql(
      `insert into ${table} select g, gen_random_uuid(), now() - g * interval '1 second', (g % 100000) / 7.0,
      (array['delivered late','paid in full','returned by customer','address incomplete','second reminder sent'])[1 + g % 5] || ' ' || md5((g / 10)::text),
      decode(md5(random()::text) || md5(random()::text), 'hex') || decode(repeat('00', 64), 'hex')
      from generate_series(${from}, ${Math.min(from + ROWS_AT_ONCE - 1, last)}) g`,
    );
  }
}
