// Requests that no well-behaved client sends: every sort of query, header, method, body, patch and subresource, each with
// a name of its own. What upstream answers is on record (recorded.json), and the default run holds our answers against it.
import type { HttpRequest } from '../../src/http.ts'
import { bodies } from './bodies.ts'
import { deletions } from './deletions.ts'
import { patches } from './patches.ts'
import { paths } from './paths.ts'
import { queries } from './queries.ts'
import { representations } from './representations.ts'
import { subresources } from './subresources.ts'

export interface Unusual {
  readonly name: string
  readonly request: HttpRequest
  /** Headers of the answer that are compared beside its media type. */
  readonly headers?: readonly string[]
}

export const unusualRequests: readonly Unusual[] = [
  ...queries,
  ...paths,
  ...representations,
  ...bodies,
  ...patches,
  ...subresources,
  ...deletions,
]
