// SPDX-License-Identifier: MIT
// Buffers, JSON, typed arrays, zlib, crypto, files, worker threads and child processes; prints the same every time.
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { execFileSync, fork } = require('child_process');
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const zlib = require('zlib');

const digest = (data) => crypto.createHash('sha256').update(data).digest('hex').slice(0, 16);

function generator(seed) {
    return (limit) => {
        seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
        return seed % limit;
    };
}

// Buffers of every size, kept and dropped; each is filled and read back.
function churn(seed, steps) {
    const draw = generator(seed);
    const kept = new Map();
    let sum = 0;
    for (let step = 0; step < steps; step++) {
        const slot = draw(200);
        const size = step % 50 ? draw(5000) : draw(500000);
        if (kept.has(slot)) {
            const old = kept.get(slot);
            for (let i = 0; i < old.length; i += 512) assert.strictEqual(old[i], slot & 255);
            sum += old.length;
        }
        kept.set(slot, Buffer.alloc(size, slot & 255));
    }
    return sum;
}

if (!isMainThread) {
    const text = JSON.stringify({ id: workerData.id, sum: churn(workerData.id, workerData.steps) });
    parentPort.postMessage(zlib.gzipSync(text));
} else if (process.send) {
    process.on('message', (list) => {
        process.send(list.map((n) => n * n));
        process.disconnect();
    });
} else {
    main().then(() => process.exit(7));
}

async function main() {
    const scale = Number(process.argv[2]);
    console.log('buffers', churn(1, 20000 * scale));

    const draw = generator(5);
    const rows = Array.from({ length: 20000 * scale }, (_, id) => ({ id, name: 'row ' + draw(1000000), tags: [draw(9), draw(9)] }));
    const text = JSON.stringify(rows);
    console.log('json', text.length, digest(JSON.stringify(JSON.parse(text).sort((a, b) => a.name < b.name ? -1 : 1))));
    for (const [pack, unpack] of [['gzipSync', 'gunzipSync'], ['brotliCompressSync', 'brotliDecompressSync'], ['deflateSync', 'inflateSync']]) {
        const piece = text.slice(0, 300000);
        console.log(pack, digest(zlib[unpack](zlib[pack](piece))));
    }

    const floats = new Float64Array(200000).map((_, i) => Math.sin(i));
    floats.sort();
    console.log('floats', digest(Buffer.from(floats.buffer)));
    const shared = new Int32Array(new SharedArrayBuffer(4096));
    Atomics.add(shared, 3, 42);
    console.log('shared', shared[3], 'key', crypto.scryptSync('secret', 'salt', 32, { N: 1024 }).toString('hex').slice(0, 16));

    const results = await Promise.all(Array.from({ length: 6 }, (_, id) => new Promise((resolve, reject) => {
        const worker = new Worker(__filename, { workerData: { id: id + 10, steps: 4000 * scale } });
        worker.on('message', (packed) => resolve(zlib.gunzipSync(packed).toString()));
        worker.on('error', reject);
    })));
    console.log('workers', results.join(' '));

    for (let i = 0; i < 3; i++)
        console.log('exec', execFileSync(process.execPath, ['-e', `console.log(Buffer.alloc(${i}00).length)`]).toString().trim());
    console.log('fork', await new Promise((resolve) => {
        const child = fork(__filename);
        let answer;
        child.on('message', (message) => { answer = message; });
        child.on('exit', (code) => resolve(answer.join() + ' ' + code));
        child.send([1, 2, 3]);
    }));

    await Promise.all(Array.from({ length: 40 }, (_, i) => fs.promises.writeFile('file' + i, Buffer.alloc(i * 1000, i))));
    const sizes = await Promise.all(Array.from({ length: 40 }, async (_, i) => (await fs.promises.readFile('file' + i)).length));
    console.log('files', sizes.reduce((a, b) => a + b));
}
