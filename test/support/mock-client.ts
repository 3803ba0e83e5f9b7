/** Mocks of AWS clients. A worker runs many test files with one copy of each package, so a mock must end with its file. */
import { mockClient } from 'aws-sdk-client-mock'
import { afterAll } from 'vitest'

/**
 * `mockClient` until the end of the file or the `describe` that calls it. Called inside a test it would have no such
 * end: use `mockClient` and `restore` there.
 */
export const mockClientHere = ((client: Parameters<typeof mockClient>[0]) => {
  const mock = mockClient(client)
  afterAll(() => mock.restore())
  return mock
}) as typeof mockClient
