import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.apache.hadoop.hive.conf.HiveConf;
import org.apache.hadoop.hive.metastore.HiveMetaStore;
import org.apache.hadoop.hive.metastore.IHMSHandler;
import org.apache.hadoop.hive.metastore.api.ThriftHiveMetastore;
import org.apache.thrift.protocol.TBinaryProtocol;
import org.apache.thrift.server.TThreadPoolServer;
import org.apache.thrift.transport.TServerSocket;
import org.apache.thrift.transport.TTransportFactory;

/**
 * Hive's metastore on one address.
 *
 * Hive 2.3's own main() listens on every address of the machine, without a setting to change that, and asks nobody
 * who they are. This does the same but binds the address it is given. Janino, which Spark carries, compiles it at start.
 */
public class LoopbackMetastore {
    public static void main(String[] arguments) throws Exception {
        InetSocketAddress address =
            new InetSocketAddress(InetAddress.getByName(arguments[0]), Integer.parseInt(arguments[1]));
        HiveConf conf = new HiveConf(HiveMetaStore.class);
        IHMSHandler handler = HiveMetaStore.newRetryingHMSHandler(
            new HiveMetaStore.HMSHandler("featuremill metastore", conf, false), conf);
        TThreadPoolServer.Args settings = new TThreadPoolServer.Args(new TServerSocket(address));
        settings.processor(new ThriftHiveMetastore.Processor(handler));
        settings.transportFactory(new TTransportFactory());
        settings.protocolFactory(new TBinaryProtocol.Factory());
        settings.minWorkerThreads(4);
        settings.maxWorkerThreads(200);
        System.out.println("metastore listens on " + address);
        new TThreadPoolServer(settings).serve();
    }
}
