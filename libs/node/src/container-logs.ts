// The ContainerLogs port: where the output of containers is kept, in the files that container runtimes have agreed on.
import type { PodIdentity } from './container-runtime.ts'

export interface ContainerLogs {
  /** The directory of a container's output: `<n>.log` for its n-th restart, with those that were rotated beside it. */
  logDirectory(pod: PodIdentity, container: string): string
}
