// A shell in a container: exec over a WebSocket, the stream that cannot be one of HTTP/2.
import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import '@xterm/xterm/css/xterm.css'
import { useEffect, useRef, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import type { AnyObject } from '../data/actions.ts'
import { proof } from '../data/api.ts'
import { readOnlyWhy, useRight } from '../data/rights.ts'
import { inNamespace, shellLine } from '../data/shell.ts'
import { CopyText } from '../parts/copy.tsx'
import { withSheetStyles } from '../parts/sheet-styles.ts'
import type { TabProps } from './object.tsx'

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const
const shells = ['sh', 'bash', 'ash']

export function TerminalTab({ namespace, name, object }: TabProps) {
  const { session } = useCluster()
  const verdict = useRight({ verb: 'create', group: '', resource: 'pods', subresource: 'exec', namespace, name })
  const names: readonly string[] = (object.spec?.containers ?? []).map((one: AnyObject) => one.name)
  const [container, setContainer] = useState(names[0] ?? '')
  const [shell, setShell] = useState('sh')
  const [isOpen, setOpen] = useState(false)
  const why = session.readOnly ? readOnlyWhy : (verdict?.why ?? '')
  return (
    <>
      <div className="bar">
        <label className="compact">
          <span className="visually-hidden">Container</span>
          <select value={container} onChange={(event) => setContainer(event.target.value)}>{names.map((one) => <option key={one}>{one}</option>)}</select>
        </label>
        <label className="compact">
          <span className="visually-hidden">Shell</span>
          <select value={shell} onChange={(event) => setShell(event.target.value)}>{shells.map((one) => <option key={one}>{one}</option>)}</select>
        </label>
        <button type="button" className="primary" disabled={why !== '' || !verdict} title={why || undefined} onClick={() => setOpen(!isOpen)}>{isOpen ? 'Close' : 'Open a shell'}</button>
        {why && <span className="quiet">{why}</span>}
        <span className="spacer" />
        <CopyText text={shellLine('kubectl', 'exec', '-it', name, ...inNamespace(namespace), '-c', container, '--', shell)} />
      </div>
      {isOpen && <Screen key={`${container} ${shell}`} {...{ namespace, name, container, shell }} />}
    </>
  )
}

interface ScreenProps {
  readonly namespace: string
  readonly name: string
  readonly container: string
  readonly shell: string
}

function Screen({ namespace, name, container, shell }: ScreenProps) {
  const host = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const style = getComputedStyle(document.documentElement)
    const terminal = new Terminal({
      fontFamily: style.getPropertyValue('--mono'),
      fontSize: 13,
      screenReaderMode: true,
      theme: { background: '#10161c', foreground: '#dce5ec', cursor: '#ffb84d' },
    })
    const fit = new FitAddon()
    terminal.loadAddon(fit)
    withSheetStyles(() => terminal.open(host.current!))
    fit.fit()
    const end = connect(terminal, { namespace, name, container, shell })
    const onResize = new ResizeObserver(() => fit.fit())
    onResize.observe(host.current!)
    terminal.focus()
    return () => {
      onResize.disconnect()
      end()
      terminal.dispose()
    }
  }, [namespace, name, container, shell])
  return <div className="terminal" ref={host} />
}

function connect(terminal: Terminal, { namespace, name, container, shell }: ScreenProps): () => void {
  const query = new URLSearchParams({ container, command: shell, stdin: 'true', stdout: 'true', tty: 'true' })
  const url = `wss://${location.host}/api/v1/namespaces/${namespace}/pods/${name}/exec?${query}`
  const socket = new WebSocket(url, ['v5.channel.k8s.io', `session-proof.shiplog.dev.${proof()}`])
  socket.binaryType = 'arraybuffer'
  const send = (channel: number, bytes: Uint8Array): void => {
    if (socket.readyState !== WebSocket.OPEN) return
    const message = new Uint8Array(bytes.length + 1)
    message[0] = channel
    message.set(bytes, 1)
    socket.send(message)
  }
  const resize = (): void => send(channels.resize, new TextEncoder().encode(JSON.stringify({ Width: terminal.cols, Height: terminal.rows })))
  const listening = [
    terminal.onData((text) => send(channels.stdin, new TextEncoder().encode(text))),
    terminal.onResize(resize),
  ]
  socket.onopen = resize
  socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    const bytes = new Uint8Array(data)
    const rest = bytes.subarray(1)
    if (bytes[0] === channels.stdout || bytes[0] === channels.stderr) terminal.write(rest)
    else if (bytes[0] === channels.error) terminal.write(`\r\n${endText(new TextDecoder().decode(rest))}\r\n`)
  }
  socket.onclose = ({ code, reason }) => terminal.write(code === 1000 ? '\r\n(ended)\r\n' : `\r\n(the connection broke off${reason ? `: ${reason}` : ''})\r\n`)
  return () => {
    for (const one of listening) one.dispose()
    socket.onclose = null
    socket.close()
  }
}

function endText(text: string): string {
  try {
    const { status, message } = JSON.parse(text) as { status: string; message?: string }
    return status === 'Success' ? '(ended)' : (message ?? text)
  } catch {
    return text
  }
}
