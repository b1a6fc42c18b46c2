// Objects as requests bring them. Decoding against the schema has made sure of every field's JSON type and has dropped nulls;
// that a field which stored objects always have is there, it has not. Types only.
import type { ObjectMeta } from './kube-object.ts'

/**
 * `Decoded<Container>`: a Container any of whose fields may be missing, all the way down. A list that upstream always writes is
 * null when it has no items.
 */
export type Decoded<Type> = Type extends readonly (infer Item)[]
  ? Decoded<Item>[]
  : Type extends object
    ? string extends keyof Type
      ? { [Key in keyof Type]: Decoded<Type[Key]> }
      : { [Key in keyof Type]?: Decoded<Type[Key]> | NullOfList<Type[Key]> | undefined }
    : Type

/** The type of an optional field has undefined. */
type NullOfList<Field> = undefined extends Field ? never : Field extends readonly unknown[] ? null : never

/** `Draft<Deployment>`: a whole object on its way through the stages of a write, which begin by giving it metadata. */
export type Draft<Kind extends object> = string extends keyof Kind
  ? Kind
  : { apiVersion: string; kind: string; metadata: ObjectMeta } & Decoded<Omit<Kind, 'apiVersion' | 'kind' | 'metadata'>>

/** `Manifest<Deployment>`: an object as people write it down. */
export type Manifest<Kind extends { apiVersion: string; kind: string }> = Kind extends unknown
  ? {
      apiVersion: Kind['apiVersion']
      kind: Kind['kind']
      metadata: Partial<ObjectMeta>
    } & Decoded<Omit<Kind, 'apiVersion' | 'kind' | 'metadata'>>
  : never
