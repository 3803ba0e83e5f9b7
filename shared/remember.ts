/** What a process remembers between requests, in maps that must not grow with the number of callers. */

/** Sets an entry; what is there longest makes room when there would be more than `most`. */
export function remember<Key, Value>(known: Map<Key, Value>, key: Key, value: Value, most: number): void {
  if (known.size >= most && !known.has(key)) {
    for (const oldest of known.keys()) {
      known.delete(oldest)
      break
    }
  }
  known.set(key, value)
}
