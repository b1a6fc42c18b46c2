// Addresses that a node takes on beside its own, on one of its devices, as a port and over the program ip. They are told from
// others by a label, so that a new life finds those of an earlier one. IPv4 alone: addresses of IPv6 bear no label.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const timeoutMs = 10_000

export interface NodeAddresses {
  list(): Promise<readonly string[]>
  /** Takes it on, and tells the neighbors where it is now. */
  add(address: string): Promise<void>
  remove(address: string): Promise<void>
}

export interface NodeAddressesOptions {
  /** The device that leads to the other nodes: `eth0`. At most 12 characters. */
  readonly device: string
  /** A process of the network namespace; that of this process when absent. */
  readonly namespacePid?: number
}

interface ListedDevice {
  readonly address: string
  readonly addr_info?: readonly { readonly local: string; readonly label?: string }[]
}

export function createNodeAddresses({ device, namespacePid }: NodeAddressesOptions): NodeAddresses {
  const label = `${device}:lb`
  const call = async (program: string, ...args: readonly string[]): Promise<string> => {
    const [file, ...all] = namespacePid === undefined ? [program, ...args] : ['nsenter', '-t', String(namespacePid), '--net', program, ...args]
    return (await run(file!, all, { timeout: timeoutMs })).stdout
  }
  const show = async (): Promise<ListedDevice> => {
    const [found] = JSON.parse(await call('ip', '-j', 'address', 'show', 'dev', device)) as readonly ListedDevice[]
    if (found === undefined) throw new Error(`there is no device ${device}`)
    return found
  }
  return {
    list: async () => ((await show()).addr_info ?? []).flatMap((one) => (one.label === label ? [one.local] : [])),
    async add(address) {
      const { address: hardware } = await show()
      await call('sh', '-ec', `echo 1 > /proc/sys/net/ipv4/conf/${device}/arp_notify`)
      await call('ip', 'address', 'replace', `${address}/32`, 'dev', device, 'label', label)
      // A device that is given its hardware address once more tells the neighbors all addresses that it has.
      await call('ip', 'link', 'set', 'dev', device, 'address', hardware)
    },
    remove: async (address) => void (await call('ip', 'address', 'delete', `${address}/32`, 'dev', device)),
  }
}
