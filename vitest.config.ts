import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// The example uses the client as a package; tests use its sources.
const alias = { '@octomil/settings-client': join(import.meta.dirname, 'client', 'src', 'index.ts') }

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        resolve: { alias },
        test: {
          globalSetup: ['test/support/engine.ts'],
          setupFiles: ['test/support/setup.ts'],
          pool: 'forks',
          // Loading the packages took a fifth of a run; what isolation is left, test/support/setup.ts sees to.
          isolate: false,
          // More than there may be cores: for a third of their time tests wait.
          maxWorkers: 4,
          name: 'service',
          include: ['test/**/*.test.ts', 'local-stripe/test/**/*.test.ts'],
          exclude: ['test/lib/**'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'templates',
          include: ['test/lib/**/*.test.ts'],
          pool: 'forks',
          // A synthesis takes 3 s of a core, and many times that of a busy machine.
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
