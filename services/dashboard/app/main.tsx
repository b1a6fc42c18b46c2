// The dashboard: who is signed in sees the cluster, now and at any moment of its past.
import { StrictMode, useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { currentSession, type SessionInfo, signIn, whenSignedOut } from './data/api.ts'
import { Shell } from './shell.tsx'
import { SignIn } from './sign-in.tsx'
import { applyTheme } from './theme.ts'

applyTheme()

type Gate = { readonly is: 'asking' } | { readonly is: 'out'; readonly why: string } | { readonly is: 'in'; readonly session: SessionInfo }

/** The code of a one-time link stands behind the #: it is taken out of the address bar at once. */
function takeCode(): string | undefined {
  const code = /^#code=([\w-]+)$/.exec(location.hash)?.[1]
  if (code) history.replaceState(null, '', location.pathname + location.search)
  return code
}

const code = takeCode()
const opening: Promise<Gate> = (code ? signIn({ code }) : currentSession()).then(
  (session): Gate => (session ? { is: 'in', session } : { is: 'out', why: '' }),
  (error: Error): Gate => ({ is: 'out', why: error.message }),
)

function App() {
  const [gate, setGate] = useState<Gate>({ is: 'asking' })
  useEffect(() => {
    void opening.then(setGate)
    whenSignedOut(() => setGate({ is: 'out', why: 'The session is over: sign in again.' }))
  }, [])
  if (gate.is === 'asking') return <main className="gate" aria-busy="true" aria-label="Shiplog" />
  if (gate.is === 'out') return <SignIn why={gate.why} onSignedIn={(session) => setGate({ is: 'in', session })} />
  return <Shell session={gate.session} onSignedOut={() => setGate({ is: 'out', why: '' })} />
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
