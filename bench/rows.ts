/** Tables that compress as real ones do. */
import { addOrders, ORDERS_PER_GIGABYTE } from "../tests/support/order_rows.ts";
import type { TestCluster } from "../tests/support/postgres.ts";

/** Makes the table `orders` of this size. */
export async function fill(cluster: TestCluster, gigabytes: number): Promise<void> {
  await addOrders(cluster, 1, Math.round(gigabytes * ORDERS_PER_GIGABYTE));
}

/** Changes every hundredth page of the table in its place, and has it written. */
export async function changePages(cluster: TestCluster): Promise<void> {
  await cluster.sql("delete from orders where (ctid::text::point)[0]::bigint % 100 = 7");
  await cluster.sql("checkpoint");
}
