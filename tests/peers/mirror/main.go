// Checks a mirrored directory with code that other people wrote.
//
//	check DIR VKEY [OLDER-CHECKPOINT-FILE]
//
// github.com/transparency-dev/tessera/fsck reads every entry bundle, rebuilds the tree and compares
// every tile; golang.org/x/mod/sumdb reads single hashes through authenticated tiles, proves the
// inclusion of entries at both ends and in between, and that the tree extends an older one.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func entries(bundle []byte) (result [][]byte) {
	for len(bundle) > 0 {
		length := int(binary.BigEndian.Uint16(bundle))
		result = append(result, bundle[2:2+length])
		bundle = bundle[2+length:]
	}
	return result
}

func leafHashes(bundle []byte) (result [][]byte, err error) {
	for _, entry := range entries(bundle) {
		hash := sha256.Sum256(append([]byte{0}, entry...))
		result = append(result, hash[:])
	}
	return result, nil
}

// tiles reads what sumdb calls tile/8/L/N as tlog-tiles' tile/L/N.
type tiles struct{ dir string }

func (t tiles) Height() int { return 8 }

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) (result [][]byte, err error) {
	for _, tile := range wanted {
		name := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		data, err := os.ReadFile(filepath.Join(t.dir, name))
		if err != nil {
			return nil, err
		}
		result = append(result, data)
	}
	return result, nil
}

func opened(path string, verifier note.Verifier) tlog.Tree {
	signed := must(note.Open(must(os.ReadFile(path)), note.VerifierList(verifier)))
	lines := strings.Split(signed.Text, "\n")
	var size int64
	must(fmt.Sscan(lines[1], &size))
	return tlog.Tree{N: size, Hash: must(tlog.ParseHash(lines[2]))}
}

func main() {
	dir, verifier := os.Args[1], must(note.NewVerifier(os.Args[2]))
	fetcher := &client.FileFetcher{Root: dir}
	whole := fsck.New(verifier.Name(), verifier, fetcher, leafHashes, fsck.Opts{N: 2})
	check(whole.Check(context.Background()))

	tree := opened(filepath.Join(dir, "checkpoint"), verifier)
	reader := tlog.TileHashReader(tree, tiles{dir})
	seq := int64(0)
	for bundle := uint64(0); seq < tree.N; bundle++ {
		width := min(256, tree.N-seq)
		for _, entry := range entries(must(fetcher.ReadEntryBundle(context.Background(), bundle, uint8(width%256)))) {
			if seq < 600 || seq%101 == 0 || seq > tree.N-600 {
				proof := must(tlog.ProveRecord(tree.N, seq, reader))
				check(tlog.CheckRecord(proof, tree.N, tree.Hash, seq, tlog.RecordHash(entry)))
			}
			if !bytes.Contains(entry, []byte(fmt.Sprintf("\"seq\":%d,", seq))) {
				log.Fatalf("entry %d is %s", seq, entry)
			}
			seq++
		}
	}
	if len(os.Args) > 3 {
		older := opened(os.Args[3], verifier)
		proof := must(tlog.ProveTree(tree.N, older.N, reader))
		check(tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash))
	}
	fmt.Printf("%d entries, %s\n", seq, tree.Hash)
}
