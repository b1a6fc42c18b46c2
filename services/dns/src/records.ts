// Resource records, as much of them as a cluster has.

export type RecordType = 'A' | 'AAAA' | 'SRV' | 'PTR' | 'CNAME' | 'TXT' | 'NS' | 'SOA'

interface Named {
  readonly name: string
  readonly ttl: number
}

export type DnsRecord =
  | (Named & { readonly type: 'A' | 'AAAA' | 'PTR' | 'CNAME' | 'NS'; readonly data: string })
  | (Named & { readonly type: 'TXT'; readonly data: string })
  | (Named & { readonly type: 'SRV'; readonly data: SrvData })
  | (Named & { readonly type: 'SOA'; readonly data: SoaData })

export interface SrvData {
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly target: string
}

export interface SoaData {
  readonly mname: string
  readonly rname: string
  readonly serial: number
  readonly refresh: number
  readonly retry: number
  readonly expire: number
  readonly minimum: number
}

export interface ZoneAnswer {
  readonly code: 'NOERROR' | 'NXDOMAIN'
  readonly answers: readonly DnsRecord[]
  /** The zone's SOA where there is no answer. */
  readonly authorities: readonly DnsRecord[]
  readonly additionals: readonly DnsRecord[]
  /** An alias out of the zone, whose own answer is to be added. */
  readonly alias?: string
}
