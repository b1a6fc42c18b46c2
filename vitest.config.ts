import { defineConfig } from 'vitest/config'

// Tests run on the pinned Node as the product does: no transformation, the same type stripping.
// Tiers by file name: x.test.ts is pure and fast; x.int.test.ts starts real servers; conformance/ runs real kubectl.
export default defineConfig({
  test: {
    include: ['{libs,services,apps,bench,conformance,tools}/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    experimental: { viteModuleRunner: false },
    // Clusters of tests have no SQL unless they ask for it.
    env: { SHIPLOG_POSTGRES: 'off' },
    pool: 'forks',
    maxWorkers: 2,
    // CI's cores are shared with others: a test that starves gets one more try there, and the report says so.
    retry: process.env['CI'] ? 1 : 0,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
