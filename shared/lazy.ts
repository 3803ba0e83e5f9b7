/**
 * A value that is built when it is first asked for, and kept. Schemas are: a function needs those of its own request,
 * not those of its answers nor of its neighbours, and building all of them would be a third of a cold start.
 */
export function lazy<T>(build: () => T): () => T {
  let built: { value: T } | undefined
  return () => {
    built ??= { value: build() }
    return built.value
  }
}
