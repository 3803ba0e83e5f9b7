/** Maps that cache between requests and must not grow with the number of callers. */

/** Sets an entry. Removes the oldest entry first if the map would exceed `maxSize`. */
export function setBounded<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, maxSize: number): void {
  if (map.size >= maxSize && !map.has(key)) {
    for (const oldest of map.keys()) {
      map.delete(oldest)
      break
    }
  }
  map.set(key, value)
}
