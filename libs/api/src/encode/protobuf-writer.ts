// Bytes of protobuf messages, written from their end to their beginning: a message's length stands before it, and is known
// when the message is written.
import { Buffer } from 'node:buffer'

const sizeMin = 4_096
/** Longer texts are copied by the platform, shorter ones a character at a time. */
const shortTextMax = 32

export class ProtobufWriter {
  #bytes = Buffer.allocUnsafe(sizeMin)
  #at = sizeMin

  /** How much is written. */
  get length(): number {
    return this.#bytes.length - this.#at
  }

  /** What was written since the last call; the writer begins anew. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(this.#at))
    this.#at = this.#bytes.length
    return taken
  }

  #room(count: number): void {
    if (this.#at >= count) return
    const used = this.length
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, used + count))
    this.#bytes.copy(grown, grown.length - used, this.#at)
    this.#at = grown.length - used
    this.#bytes = grown
  }

  /** Of fields whose number is below 2^28. */
  tag(number: number, wire: 0 | 1 | 2): void {
    this.varint(number * 8 + wire)
  }

  /** The length of what was written since, and the tag of the field that it is. */
  close(number: number, before: number): void {
    this.varint(this.length - before)
    this.tag(number, 2)
  }

  /** Of what is no whole number, what Go's conversion leaves of it; of none at all, nothing. */
  varint(given: number): void {
    const value = Number.isFinite(given) ? Math.trunc(given) : 0
    this.#room(10)
    if (value < 0) {
      this.#negative(value)
      return
    }
    let size = 1
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++
    this.#at -= size
    let at = this.#at
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[at++] = (rest % 128) | 128
    this.#bytes[at] = rest
  }

  /** Two's complement of 64 bits: always ten bytes. */
  #negative(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value))
    this.#at -= 10
    for (let index = 0; index < 10; index++) {
      this.#bytes[this.#at + index] = Number(rest & 127n) | (index < 9 ? 128 : 0)
      rest >>= 7n
    }
  }

  double(value: number): void {
    this.#room(8)
    this.#at -= 8
    this.#bytes.writeDoubleLE(value, this.#at)
  }

  text(text: string): void {
    if (text.length <= shortTextMax && this.#ascii(text)) return
    const length = Buffer.byteLength(text)
    this.#room(length)
    this.#at -= length
    this.#bytes.write(text, this.#at)
  }

  #ascii(text: string): boolean {
    this.#room(text.length)
    const start = this.#at - text.length
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      if (unit >= 128) return false
      this.#bytes[start + index] = unit
    }
    this.#at = start
    return true
  }

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#at -= bytes.length
    this.#bytes.set(bytes, this.#at)
  }
}
