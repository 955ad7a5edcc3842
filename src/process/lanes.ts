/** Doing something for many, a bounded number at once. */

/** The first error ends it, when what runs has ended. @throws that error */
export async function inLanes<T>(items: Iterable<T>, lanes: number, action: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  const lane = async () => {
    for (let item = iterator.next(); !item.done && failure === undefined; item = iterator.next()) {
      try {
        await action(item.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  if (failure !== undefined) throw failure.error;
}
