// Objects as requests bring them. Decoding against the schema has made sure of every field's JSON type and has dropped nulls;
// that a field which stored objects always have is there, it has not. Types only.
import type { ObjectMeta } from './kube-object.ts'

/** `Decoded<Container>`: a Container any of whose fields may be missing, all the way down. */
export type Decoded<Type> = Type extends readonly (infer Item)[]
  ? Decoded<Item>[]
  : Type extends object
    ? string extends keyof Type
      ? { [Key in keyof Type]: Decoded<Type[Key]> }
      : { [Key in keyof Type]?: Decoded<Type[Key]> | undefined }
    : Type

/** `Draft<Deployment>`: a whole object on its way through the stages of a write, which begin by giving it metadata. */
export type Draft<Kind extends object> = string extends keyof Kind
  ? Kind
  : { apiVersion: string; kind: string; metadata: ObjectMeta } & Decoded<Omit<Kind, 'apiVersion' | 'kind' | 'metadata'>>
