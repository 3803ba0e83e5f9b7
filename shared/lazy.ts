/**
 * Builds a value on first use and keeps it. Used for schemas: a function needs only the schema of its own request.
 * Building all schemas would take a third of a cold start.
 */
export function lazy<T>(build: () => T): () => T {
  let built: { value: T } | undefined
  return () => {
    built ??= { value: build() }
    return built.value
  }
}
