// One TCP connection through the tunnel, for a few seconds: `server ADDRESS` counts what comes and tells when it ends,
// `client ADDRESS FROM SECONDS` sends. Run by main.ts in the two namespaces.

import { connect, createServer } from 'node:net';

const PORT = 5001;
const [role, address, from, seconds] = process.argv.slice(2);

if (role === 'server') {
  const server = createServer((socket) => {
    let bytes = 0;
    let firstMs = 0;
    socket.on('data', (chunk) => {
      firstMs ||= performance.now();
      bytes += chunk.length;
    });
    socket.on('close', () => {
      const ms = performance.now() - firstMs;
      console.log(JSON.stringify({ bytes, ms }));
      server.close();
    });
    socket.on('error', () => socket.destroy());
  });
  server.listen(PORT, address, () => console.log('listening'));
} else {
  const chunk = Buffer.alloc(256 * 1024);
  const socket = connect({ port: PORT, host: address, localAddress: from });
  const fill = (): void => {
    while (socket.write(chunk));
  };
  socket.on('drain', fill);
  socket.on('connect', () => {
    fill();
    setTimeout(() => {
      // What is still queued here is not worth waiting for: the server counts what arrived.
      socket.destroy();
    }, Number(seconds) * 1000);
  });
  socket.on('error', (error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
