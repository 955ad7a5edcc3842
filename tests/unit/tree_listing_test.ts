/** Listing what a repository holds, whatever its names. */
import { PosixStorage } from "../../backends/posix.ts";
import { listTree, type TreeListingOptions } from "../../src/repository/tree_listing.ts";
import { assertEquals } from "../support/assert.ts";
import { temporaryDirectory } from "../support/cluster_files.ts";

Deno.test("a directory whose name holds a line feed is listed with what is in it, in its place", async () => {
  using folder = temporaryDirectory();
  for (const path of ["top/a\nb/c\nd", "top/a\nb/e", "top/a", "top/b"]) {
    await Deno.mkdir(`${folder.path}/${path}`, { recursive: true });
  }
  for (const path of ["top/a\nb/c\nd/1", "top/a\nb/c", "top/a\nb/e/2", "top/a/3", "top/b\n"]) {
    await Deno.writeTextFile(`${folder.path}/${path}`, "x");
  }
  await using storage = new PosixStorage({ type: "posix", path: folder.path });
  const signal = new AbortController().signal;
  const names = async (path: string, sort: TreeListingOptions["sort"]) => {
    const found: string[] = [];
    for await (const { name } of listTree(storage, path, { recurse: true, sort, signal })) found.push(name);
    return found;
  };
  const inTop = ["a", "a/3", "a\nb", "a\nb/c", "a\nb/c\nd", "a\nb/c\nd/1", "a\nb/e", "a\nb/e/2", "b", "b\n"];
  assertEquals(await names("top", "asc"), inTop);
  assertEquals(await names("top", "desc"), inTop.toReversed());
  assertEquals(await names("", "asc"), ["top", ...inTop.map((name) => `top/${name}`)]);
  assertEquals((await names("top", "none")).toSorted(), inTop.toSorted());
});
