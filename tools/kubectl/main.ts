// Provides kubectl and helm in `.cache/`, for scripts that call them by themselves.
import { provideKubectl } from './provide.ts'

const { versions } = await provideKubectl()
process.stderr.write(`kubectl ${versions.kubectl}; helm ${versions.helm}\n`)
