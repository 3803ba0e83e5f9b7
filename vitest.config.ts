import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          globalSetup: ['test/support/engine.ts'],
          setupFiles: ['test/support/setup.ts'],
          pool: 'forks',
          name: 'service',
          include: ['test/**/*.test.ts'],
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
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
