// A contract's storage, read by eth_getProof alone and decoded by the layout of contracts/artifacts/layouts.json.
import { AbiCoder, decodeRlp, keccak256, toBeHex, zeroPadValue } from "ethers";
import { artifact, same } from "../devnet.mjs";
import { proven } from "./trie.mjs";

const layouts = artifact("layouts");
const coder = AbiCoder.defaultAbiCoder();
export const word = (value) => (typeof value === "string" ? zeroPadValue(value, 32) : toBeHex(value, 32));
const wrap = (slot) => slot & ((1n << 256n) - 1n);

const mappingOf = (type) => /^mapping\(\w+ => (.*)\)$/.exec(type)?.[1];
const arrayOf = (type) => /^(.*)\[(\d+)\]$/.exec(type)?.slice(1, 3);
const structOf = (type) => /^struct (?:\w+\.)?(\w+)$/.exec(type)?.[1];

export class Storage {
  /// `block` has the tag and the state root; `name` is that of the reference contract.
  constructor(provider, contract, name, block) {
    Object.assign(this, { provider, contract, block, layout: layouts[name], slots: 0, seen: new Set() });
  }

  /// The value of a variable, at keys of mappings or places of arrays.
  async at(label, ...keys) {
    const variable = this.layout.variables.find((variable) => variable.label === label);
    let { type, slot, offset } = variable;
    slot = BigInt(slot);
    for (const key of keys) {
      const element = mappingOf(type);
      if (element) {
        slot = BigInt(keccak256(coder.encode(["bytes32", "uint256"], [word(key), slot])));
        type = element;
        continue;
      }
      const [kind, length] = arrayOf(type);
      if (BigInt(key) >= BigInt(length)) throw new Error(`${label} has no place ${key}`);
      ({ slot, offset } = this.place(kind, slot, BigInt(key)));
      type = kind;
    }
    const words = await this.words(slot, this.sizeOf(type));
    if (words.some((value) => value !== 0n)) this.seen.add(label);
    return this.decode(type, words, 0, offset, slot);
  }

  /// Where an element of an array is that begins at `slot`.
  place(kind, slot, index) {
    const bytes = this.bytesOf(kind);
    if (bytes > 16) return { slot: wrap(slot + index * BigInt(this.sizeOf(kind))), offset: 0 };
    const perSlot = BigInt(Math.floor(32 / bytes));
    return { slot: wrap(slot + index / perSlot), offset: Number(index % perSlot) * bytes };
  }

  /// Bytes of a value type; those of others do not count.
  bytesOf(type) {
    if (type === "address") return 20;
    if (type === "bool") return 1;
    const bits = /^u?int(\d+)$/.exec(type)?.[1];
    return bits ? Number(bits) / 8 : 32;
  }

  /// Slots of a type.
  sizeOf(type) {
    const array = arrayOf(type);
    if (array) {
      const [kind, length] = array;
      const bytes = this.bytesOf(kind);
      return bytes > 16 ? Number(length) * this.sizeOf(kind) : Math.ceil(Number(length) / Math.floor(32 / bytes));
    }
    const members = this.layout.structs[structOf(type)];
    if (!members) return 1;
    const last = members.at(-1);
    return last.slot + this.sizeOf(last.type);
  }

  /// The value that begins at byte `offset` of `words[index]`, which is slot `slot + index`.
  async decode(type, words, index, offset, slot) {
    const members = this.layout.structs[structOf(type)];
    if (members) {
      const all = {};
      const rest = words.slice(index, index + this.sizeOf(type));
      for (const { label, type: kind, slot: at, offset: byte, bytes } of members) {
        all[label] = await this.decode(kind, words, index + at, byte, slot);
        if (bytes <= 32) rest[at] &= ~(((1n << BigInt(8 * bytes)) - 1n) << BigInt(8 * byte));
        else rest.fill(0n, at, at + this.sizeOf(kind));
      }
      same(`what is between the fields of ${type}`, rest.filter((value) => value !== 0n), []);
      return all;
    }
    const array = arrayOf(type);
    if (array) {
      const values = [];
      for (let n = 0n; n < BigInt(array[1]); n++) {
        const { slot: at, offset: byte } = this.place(array[0], 0n, n);
        values.push(await this.decode(array[0], words, index + Number(at), byte, slot));
      }
      return values;
    }
    if (type === "string") return this.text(words[index], wrap(slot + BigInt(index)));
    const bytes = this.bytesOf(type);
    const value = (words[index] >> BigInt(8 * offset)) & ((1n << BigInt(8 * bytes)) - 1n);
    if (type === "address" || type === "bytes32") return toBeHex(value, bytes);
    if (type === "bool") return value === 1n;
    return type.startsWith("int") ? BigInt.asIntN(8 * bytes, value) : value;
  }

  /// A string as Solidity stores it.
  async text(head, slot) {
    const bytes = (value) => Buffer.from(word(value).slice(2), "hex");
    if ((head & 1n) === 0n) return bytes(head).subarray(0, Number(head & 0xffn) / 2).toString();
    const length = Number(head >> 1n);
    const values = await this.words(BigInt(keccak256(word(slot))), Math.ceil(length / 32));
    return Buffer.concat(values.map(bytes)).subarray(0, length).toString();
  }

  /// The proven values of consecutive slots.
  async words(first, count) {
    const target = await this.contract.getAddress();
    const keys = Array.from({ length: count }, (_, n) => toBeHex(wrap(first + BigInt(n)), 32));
    const answer = await this.provider.send("eth_getProof", [target, keys, this.block.tag]);
    const account = decodeRlp(proven(this.block.stateRoot, target, answer.accountProof));
    same("the account's nonce", account[0], "0x01");
    same("the account's storage root", account[2], answer.storageHash);
    same("the account's code", account[3], keccak256("0xef"));
    return answer.storageProof.map(({ key, value, proof }, n) => {
      same("key", BigInt(key), BigInt(keys[n]));
      const rlp = proven(answer.storageHash, keys[n], proof);
      same("value of a slot", BigInt(value), rlp === undefined ? 0n : BigInt(decodeRlp(rlp)));
      this.slots += 1;
      return BigInt(value);
    });
  }

  /// The contract's events of a name, up to the block.
  async events(name) {
    const found = await this.contract.queryFilter(name, 0, this.block.number);
    return found.map(({ args }) => args);
  }

  /// Fails where a variable was never read, or held nothing wherever it was: then nothing is known of its layout.
  check() {
    const unseen = this.layout.variables.map(({ label }) => label).filter((label) => !this.seen.has(label));
    if (unseen.length > 0) throw new Error(`nothing found in ${unseen.join(", ")}: play records.mjs first`);
  }
}

/// Compares what is kept with what a function shows: fields of the same names, or [kept, shown] of others.
export function sameAs(what, kept, shown, ...names) {
  for (const name of names) {
    const [ours, theirs] = Array.isArray(name) ? name : [name, name];
    same(`${what}.${theirs}`, kept[ours], shown[theirs]);
  }
}
