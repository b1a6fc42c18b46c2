// Reads one API class of the official client package: each request's path and method, and the models of body and answer.
import { readFileSync } from 'node:fs'
import { clientFolder } from './client-models.ts'

export interface Operation {
  /** `/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale` */
  readonly path: string
  readonly method: string
  readonly body: string | undefined
  readonly answer: string
}

export const readApi = async (api: string): Promise<Operation[]> => {
  const source = readFileSync(new URL(`apis/${api}.js`, clientFolder), 'utf8')
  const declaration = readFileSync(new URL(`apis/${api}.d.ts`, clientFolder), 'utf8')
  const answers = new Map<string, string>()
  for (const [, name, type] of declaration.matchAll(
    /(\w+)WithHttpInfo\(response: \w+\): Promise<HttpInfo<([^>]+)>>/g,
  )) {
    answers.set(name!, type!)
  }
  const operations: Operation[] = []
  for (const section of source.split(/\n {4}async /).slice(1)) {
    const name = /^\w+/.exec(section)![0]
    const path = /const localVarPath = '([^']+)'/.exec(section)?.[1]
    const method = /HttpMethod\.([A-Z]+)\)/.exec(section)?.[1]
    if (!path || !method) continue
    const answer = answers.get(name)
    if (!answer) throw new Error(`${api}: ${name} has no answer`)
    operations.push({ path, method, body: /ObjectSerializer\.serialize\(body, "(\w+)"/.exec(section)?.[1], answer })
  }
  return operations
}
