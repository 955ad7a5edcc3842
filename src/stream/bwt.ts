/** The Burrows-Wheeler transform of bzip2 blocks: sorting all rotations of a block. Source of the method: SA-IS (Nong, Zhang, Chan 2009). */

/**
 * Sorts the rotations of a block and gives the last column and the row of the block itself.
 * Rotations are sorted as suffixes of the block written twice; equal rotations may come in any order.
 */
export function burrowsWheeler(block: Uint8Array): { readonly last: Uint8Array; readonly origin: number } {
  const size = block.length;
  const twice = new Int32Array(2 * size);
  twice.set(block);
  twice.set(block, size);
  const order = suffixArray(twice, 255);
  const last = new Uint8Array(size);
  let origin = 0;
  let row = 0;
  for (let at = 0; at < order.length; at++) {
    const start = order[at]!;
    if (start >= size) continue;
    if (start === 0) origin = row;
    last[row++] = block[start === 0 ? size - 1 : start - 1]!;
  }
  return { last, origin };
}

/** Positions of all suffixes in order, by induced sorting. @param upper largest value in `text` */
export function suffixArray(text: Int32Array, upper: number): Int32Array {
  const size = text.length;
  if (size === 0) return new Int32Array(0);
  if (size === 1) return Int32Array.of(0);
  const order = new Int32Array(size);
  // A suffix is S when it sorts before the one behind it, else L.
  const isS = new Uint8Array(size);
  for (let at = size - 2; at >= 0; at--) {
    isS[at] = text[at] === text[at + 1] ? isS[at + 1]! : text[at]! < text[at + 1]! ? 1 : 0;
  }
  const startL = new Int32Array(upper + 2);
  const startS = new Int32Array(upper + 2);
  for (let at = 0; at < size; at++) {
    if (isS[at]) startL[text[at]! + 1]! += 1;
    else startS[text[at]!]! += 1;
  }
  for (let value = 0; value <= upper; value++) {
    startS[value]! += startL[value]!;
    if (value < upper) startL[value + 1]! += startS[value]!;
  }
  const induce = (marks: Int32Array, count: number) => {
    order.fill(-1);
    const next = startS.slice();
    for (let at = 0; at < count; at++) if (marks[at] !== size) order[next[text[marks[at]!]!]!++] = marks[at]!;
    next.set(startL);
    order[next[text[size - 1]!]!++] = size - 1;
    for (let at = 0; at < size; at++) {
      const position = order[at]! - 1;
      if (position >= 0 && !isS[position]) order[next[text[position]!]!++] = position;
    }
    next.set(startL);
    for (let at = size - 1; at >= 0; at--) {
      const position = order[at]! - 1;
      if (position >= 0 && isS[position]) order[--next[text[position]! + 1]!] = position;
    }
  };
  // Leftmost S suffixes: those behind an L suffix. Sorting them sorts everything.
  const indexOf = new Int32Array(size + 1).fill(-1);
  const leftmost = new Int32Array(size);
  let count = 0;
  for (let at = 1; at < size; at++) {
    if (!isS[at - 1] && isS[at]) {
      indexOf[at] = count;
      leftmost[count++] = at;
    }
  }
  induce(leftmost, count);
  if (count === 0) return order;
  const sorted = new Int32Array(count);
  let filled = 0;
  for (let at = 0; at < size; at++) if (indexOf[order[at]!]! !== -1) sorted[filled++] = order[at]!;
  const names = new Int32Array(count);
  let name = 0;
  names[indexOf[sorted[0]!]!] = 0;
  for (let at = 1; at < count; at++) {
    if (!samePiece(text, sorted[at - 1]!, sorted[at]!, indexOf, leftmost, count)) name += 1;
    names[indexOf[sorted[at]!]!] = name;
  }
  const ranks = suffixArray(names, name);
  for (let at = 0; at < count; at++) sorted[at] = leftmost[ranks[at]!]!;
  induce(sorted, count);
  return order;
}

/** Whether two pieces, each up to the next leftmost S suffix, are equal. */
function samePiece(
  text: Int32Array,
  left: number,
  right: number,
  indexOf: Int32Array,
  leftmost: Int32Array,
  count: number,
): boolean {
  const size = text.length;
  const endOf = (start: number) => {
    const index = indexOf[start]! + 1;
    return index < count ? leftmost[index]! : size;
  };
  const endLeft = endOf(left);
  const endRight = endOf(right);
  if (endLeft - left !== endRight - right) return false;
  while (left < endLeft && text[left] === text[right]) {
    left += 1;
    right += 1;
  }
  return left !== size && right !== size && text[left] === text[right];
}
