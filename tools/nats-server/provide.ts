// The tool that provides a nats-server; it lives with the adapter that needs one, because services use it as well.
export { type ProvidedNatsServer, provideNatsServer } from '@shiplog/nats-server/nats-binary'
