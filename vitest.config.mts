import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { include: ['labextension/**/*.test.ts'], environment: 'node' } });
