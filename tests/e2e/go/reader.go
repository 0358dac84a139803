// An independent reader of the public log: Go's x/mod/sumdb (note, tlog), as the Go checksum database is read.
//
// It knows of the product what C2SP says and nothing else: the checkpoint is a signed note, tiles have height 8, the entries of the tree are
// the 32 bytes in the bundles. It prints one line and exits 0, or says what does not hold and exits 1.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// tiles fetches tiles over HTTP. It checks nothing: tlog does.
type tiles struct {
	url  string
	http *http.Client
	// flip alters one bit of every tile, so that the caller can see that a wrong tile is noticed.
	flip bool
	// kept has what was fetched; tiles never change.
	kept map[string][]byte
	got  int
}

func (t *tiles) get(path string) ([]byte, error) {
	if bytes, ok := t.kept[path]; ok {
		return bytes, nil
	}
	answer, err := t.http.Get(t.url + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	t.got++
	if strings.HasPrefix(path, "/tile/") {
		t.kept[path] = body
	}
	return body, nil
}

func (t *tiles) Height() int { return height }

// The paths of tlog-tiles are those of x/mod without the height; level -1 is the bundle of entries.
func path(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
	return "/tile/" + strings.Replace(path, "data/", "entries/", 1)
}

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, 0, len(wanted))
	for _, tile := range wanted {
		body, err := t.get(path(tile))
		if err != nil {
			return nil, err
		}
		if t.flip && len(body) > 0 {
			body = append([]byte(nil), body...)
			body[len(body)/2] ^= 1
		}
		data = append(data, body)
	}
	return data, nil
}

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// entry is the i-th entry in the tree of n entries.
func (t *tiles) entry(i, n int64) ([]byte, error) {
	tile := tlog.Tile{H: height, L: -1, N: i >> height, W: 1 << height}
	if last := n - tile.N<<height; last < 1<<height {
		tile.W = int(last)
	}
	bundle, err := t.get(path(tile))
	if err != nil {
		return nil, err
	}
	for at := tile.N << height; len(bundle) >= 2; at++ {
		length := int(bundle[0])<<8 | int(bundle[1])
		if len(bundle) < 2+length {
			break
		}
		if at == i {
			return bundle[2 : 2+length], nil
		}
		bundle = bundle[2+length:]
	}
	return nil, fmt.Errorf("bundle %s lacks entry %d", path(tile), i)
}

func openCheckpoint(text []byte, key string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("the note is no checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, errors.New("the root is no hash")
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree, nil
}

// everySize goes through the trees of 1, 2, … n entries: each has its partial tiles, and the tree of n continues it.
func everySize(t *tiles, tree tlog.Tree, all tlog.HashReader) error {
	for size := int64(1); size <= tree.N; size++ {
		root, err := tlog.TreeHash(size, all)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(tree.N, size, all)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, size, root); err != nil {
			return fmt.Errorf("size %d: %w", size, err)
		}
		// Reads the tiles as they are in the tree of this size, and accepts them only if they lead to its root.
		then := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, t)
		if err := included(t, size-1, tlog.Tree{N: size, Hash: root}, then); err != nil {
			return fmt.Errorf("size %d: %w", size, err)
		}
	}
	return nil
}

func included(t *tiles, index int64, tree tlog.Tree, hashes tlog.HashReader) error {
	entry, err := t.entry(index, tree.N)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveRecord(tree.N, index, hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return fmt.Errorf("entry %d: %w", index, err)
	}
	return nil
}

func run() error {
	url := flag.String("url", "", "the public listener")
	ca := flag.String("ca", "", "root certificate of it")
	seen := flag.String("seen", "", "a checkpoint from before, which the log must continue")
	keep := flag.String("keep", "", "where to keep the checkpoint")
	flip := flag.Bool("flip", false, "alter one bit of every tile")
	flag.Parse()
	pem, err := os.ReadFile(*ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return errors.New("no root certificate")
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t := &tiles{url: *url, http: client, flip: *flip, kept: map[string][]byte{}}
	key, err := t.get("/checkpoint.key")
	if err != nil {
		return err
	}
	checkpoint, err := t.get("/checkpoint")
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(checkpoint, string(key))
	if err != nil {
		return fmt.Errorf("the checkpoint: %w", err)
	}
	all := tlog.TileHashReader(tree, t)
	for index := int64(0); index < tree.N; index++ {
		if err := included(t, index, tree, all); err != nil {
			return err
		}
	}
	if err := everySize(t, tree, all); err != nil {
		return err
	}
	if *seen != "" {
		before, err := os.ReadFile(*seen)
		if err != nil {
			return err
		}
		old, err := openCheckpoint(before, string(key))
		if err != nil {
			return fmt.Errorf("the checkpoint from before: %w", err)
		}
		proof, err := tlog.ProveTree(tree.N, old.N, all)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
			return fmt.Errorf("the log of %d entries does not continue that of %d: %w", tree.N, old.N, err)
		}
	}
	if *keep != "" {
		if err := os.WriteFile(*keep, checkpoint, 0o600); err != nil {
			return err
		}
	}
	fmt.Printf("%d entries included, %d sizes consistent, %d resources fetched\n", tree.N, tree.N, t.got)
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
