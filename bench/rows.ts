/** Tables that compress as real ones do. */
import type { TestCluster } from "../tests/support/postgres.ts";

/** Rows in a gigabyte of the table. */
const ROWS_PER_GIGABYTE = 3_400_000;
const ROWS_AT_ONCE = 500_000;

/** Makes the table `orders`: text, numbers, times, identifiers, some of it random. */
export async function fill(cluster: TestCluster, gigabytes: number): Promise<void> {
  await cluster.sql(
    "create table if not exists orders (id bigint, customer uuid, at timestamptz, amount numeric, note text, raw bytea)",
  );
  const rows = Math.round(gigabytes * ROWS_PER_GIGABYTE);
  for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
    await cluster.sql(
      `insert into orders select g, gen_random_uuid(), now() - g * interval '1 second', (g % 100000) / 7.0,
      (array['delivered late','paid in full','returned by customer','address incomplete','second reminder sent'])[1 + g % 5] || ' ' || md5((g / 10)::text),
      decode(md5(random()::text) || md5(random()::text), 'hex') || decode(repeat('00', 64), 'hex')
      from generate_series(${from + 1}, ${Math.min(from + ROWS_AT_ONCE, rows)}) g`,
    );
  }
}

/** Changes every hundredth page of the table in its place, and has it written. */
export async function changePages(cluster: TestCluster): Promise<void> {
  await cluster.sql("delete from orders where (ctid::text::point)[0]::bigint % 100 = 7");
  await cluster.sql("checkpoint");
}
