//! A TCP stream that knows when the kernel received what is read from it.
//!
//! A generator that measures when *it* got around to reading adds its own scheduling to the server's time. The kernel
//! stamps every segment as it arrives (`SO_TIMESTAMPNS`, Linux, Documentation/networking/timestamping), and for TCP hands
//! out the stamp of the last byte read. So the end of a response is exact however late it is read, and the thread may
//! sleep through an answer's arrival and read it with the next request it sends, which halves its wake-ups.
//!
//! Elsewhere than on Linux, and when a stamp is missing, it is the time of reading.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// When the last bytes that were read had arrived.
#[derive(Debug, Default)]
pub(crate) struct Stamp {
    received: Cell<Option<Instant>>,
}

impl Stamp {
    /// When the last bytes arrived; now, if that is not known.
    pub(crate) fn received(&self) -> Instant {
        self.received.get().unwrap_or_else(Instant::now)
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use super::{Cell, Context, Instant, Pin, Poll, ReadBuf, TcpStream, io};
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
    use nix::sys::time::TimeSpec;
    use rustix::time::{ClockId, clock_gettime};
    use std::io::{IoSliceMut, Write};
    use std::os::fd::AsRawFd;
    use std::time::Duration;
    use tokio::io::{Interest, unix::AsyncFd};

    /// The wall clock may be slewed by this much a second, and not by more (adjtimex(2): 500 ppm; twice that for safety).
    const SLEW: f64 = 0.001;

    pub(crate) struct Socket {
        fd: AsyncFd<std::net::TcpStream>,
        control: Vec<u8>,
        stamped: bool,
    }

    impl Socket {
        pub(crate) fn new(tcp: TcpStream) -> io::Result<Self> {
            let tcp = tcp.into_std()?;
            let stamped = setsockopt(&tcp, sockopt::ReceiveTimestampns, &true).is_ok();
            #[expect(
                deprecated,
                reason = "its successor is unsafe because the type behind it may close its descriptor early; a TcpStream does not"
            )]
            let fd = AsyncFd::with_interest(tcp, Interest::READABLE | Interest::WRITABLE)?;
            Ok(Self {
                fd,
                control: nix::cmsg_space!(TimeSpec),
                stamped,
            })
        }

        pub(crate) fn poll_read(
            &mut self,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<Option<Instant>>> {
            loop {
                let mut guard = std::task::ready!(self.fd.poll_read_ready(cx))?;
                let room = buf.initialize_unfilled();
                let length = room.len();
                let result = {
                    let mut parts = [IoSliceMut::new(room)];
                    let control = self.stamped.then_some(self.control.as_mut_slice());
                    recvmsg::<()>(guard.get_inner().as_raw_fd(), &mut parts, control, MsgFlags::empty()).map(
                        |message| {
                            let stamp = message.cmsgs().ok().and_then(|mut all| {
                                all.find_map(|one| match one {
                                    ControlMessageOwned::ScmTimestampns(time) => Some(time),
                                    _ => None,
                                })
                            });
                            (message.bytes, stamp)
                        },
                    )
                };
                match result {
                    Ok((count, stamp)) => {
                        // As the runtime's own sockets do: after a short read there is nothing more (edge-triggered).
                        if count > 0 && count < length {
                            guard.clear_ready();
                        }
                        buf.advance(count);
                        return Poll::Ready(Ok(stamp.and_then(arrival)));
                    }
                    Err(nix::errno::Errno::EAGAIN) => guard.clear_ready(),
                    Err(nix::errno::Errno::EINTR) => {}
                    Err(error) => return Poll::Ready(Err(error.into())),
                }
            }
        }

        pub(crate) fn poll_write(
            &mut self,
            cx: &mut Context<'_>,
            mut write: impl FnMut(&mut &std::net::TcpStream) -> io::Result<usize>,
        ) -> Poll<io::Result<usize>> {
            loop {
                let mut guard = std::task::ready!(self.fd.poll_write_ready(cx))?;
                match guard.try_io(|fd| write(&mut fd.get_ref())) {
                    Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(result) => return Poll::Ready(result),
                    Err(_would_block) => {}
                }
            }
        }

        pub(crate) fn poll_write_one(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.poll_write(cx, |tcp| tcp.write(bytes))
        }

        pub(crate) fn poll_write_many(
            &mut self,
            cx: &mut Context<'_>,
            parts: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.poll_write(cx, |tcp| tcp.write_vectored(parts))
        }

        pub(crate) fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(self.fd.get_ref().shutdown(std::net::Shutdown::Write))
        }
    }

    thread_local! {
        /// Wall clock minus monotonic clock when it was last looked at, and when that was.
        static OFFSET: Cell<Option<(f64, Instant)>> = const { Cell::new(None) };
    }

    /// The kernel's stamp is wall time; what is wanted is monotonic. A stamp is not used around a step of the wall clock.
    fn arrival(stamp: TimeSpec) -> Option<Instant> {
        let wall = clock_gettime(ClockId::Realtime);
        let now = Instant::now();
        let wall = Duration::new(wall.tv_sec.try_into().ok()?, wall.tv_nsec.try_into().ok()?);
        let stamp = Duration::new(stamp.tv_sec().try_into().ok()?, stamp.tv_nsec().try_into().ok()?);
        let before = OFFSET.get();
        // Only differences of this are used; which moment it counts from does not matter.
        let epoch = before.map_or(now, |(_, at)| at);
        let since = now.saturating_duration_since(epoch).as_secs_f64();
        let offset = wall.as_secs_f64();
        OFFSET.set(Some((offset, now)));
        if let Some((earlier, _)) = before {
            let drift = (offset - earlier - since).abs();
            if drift > 0.0005 + since * SLEW {
                return None;
            }
        }
        now.checked_sub(wall.checked_sub(stamp)?)
    }
}

#[cfg(not(target_os = "linux"))]
use portable as imp;

/// The runtime's socket. Compiled for tests too, so that it is known to be right where it is not used.
#[cfg(any(test, not(target_os = "linux")))]
#[cfg_attr(target_os = "linux", allow(dead_code))]
#[allow(clippy::unnecessary_wraps, reason = "the same signature as on Linux")]
mod portable {
    use super::{Context, Instant, Pin, Poll, ReadBuf, TcpStream, io};
    use tokio::io::{AsyncRead, AsyncWrite};

    pub(crate) struct Socket(TcpStream);

    impl Socket {
        pub(crate) fn new(tcp: TcpStream) -> io::Result<Self> {
            Ok(Self(tcp))
        }

        pub(crate) fn poll_read(
            &mut self,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<Option<Instant>>> {
            Pin::new(&mut self.0).poll_read(cx, buf).map_ok(|()| None)
        }

        pub(crate) fn poll_write_one(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, bytes)
        }

        pub(crate) fn poll_write_many(
            &mut self,
            cx: &mut Context<'_>,
            parts: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write_vectored(cx, parts)
        }

        pub(crate) fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }
}

/// The stream.
pub(crate) struct Stamped {
    socket: imp::Socket,
    stamp: Rc<Stamp>,
}

impl Stamped {
    pub(crate) fn new(tcp: TcpStream) -> io::Result<Self> {
        Ok(Self {
            socket: imp::Socket::new(tcp)?,
            stamp: Rc::default(),
        })
    }

    pub(crate) fn stamp(&self) -> Rc<Stamp> {
        Rc::clone(&self.stamp)
    }
}

impl AsyncRead for Stamped {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let stamp = std::task::ready!(this.socket.poll_read(cx, buf))?;
        this.stamp.received.set(Some(stamp.unwrap_or_else(Instant::now)));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().socket.poll_write_one(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().socket.poll_write_many(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
