// Reads one model of the official client package: names, types and formats from the class, what is required and the
// texts from its declaration file. The package's index would load 900 modules, so files are opened by name.
import { readFileSync } from 'node:fs'

export interface Attribute {
  /** As JSON spells it (`default`, where the class says `_default`). */
  readonly name: string
  readonly type: string
  readonly format: string
  readonly required: boolean
  readonly description: string
}

export interface Model {
  readonly description: string
  readonly attributes: readonly Attribute[]
}

export const clientFolder = new URL('../../node_modules/@kubernetes/client-node/dist/gen/', import.meta.url)

const attributePattern = /"name": "([^"]*)",\s*"baseName": "([^"]*)",\s*"type": "([^"]*)",\s*"format": "([^"]*)"/g
const memberPattern = /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?'([^']+)'(\?)?: /g
const classPattern = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*export declare class /

export const readModel = async (model: string): Promise<Model> => {
  const source = readFileSync(new URL(`models/${model}.js`, clientFolder), 'utf8')
  const declaration = readFileSync(new URL(`models/${model}.d.ts`, clientFolder), 'utf8')
  const bodyAt = declaration.indexOf('export declare class ')
  const body = declaration.slice(bodyAt, declaration.indexOf('static readonly discriminator'))
  const members = new Map<string, { required: boolean; description: string }>()
  for (const [, text, name, optional] of body.matchAll(memberPattern)) {
    members.set(name!, { required: !optional, description: cleanText(text ?? '') })
  }
  const attributes: Attribute[] = []
  for (const [, name, baseName, type, format] of source.matchAll(attributePattern)) {
    const member = members.get(name!)
    if (!member) throw new Error(`${model}: ${name} is not in the declaration`)
    attributes.push({ name: baseName!, type: type!, format: format!, ...member })
  }
  return { description: cleanText(classPattern.exec(declaration)?.[1] ?? ''), attributes }
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', '#39': "'", '#x60': '`' }

/** A comment's text without its stars, escapes and entities. */
const cleanText = (comment: string): string =>
  comment
    .split('\n')
    .map((line) => line.replace(/^\s*\*? ?/, '').trimEnd())
    .join('\n')
    .trim()
    .replace(/\\(['"\\])/g, '$1')
    .replace(/&(lt|gt|amp|quot|#39|#x60);/g, (_, name: string) => entities[name]!)
